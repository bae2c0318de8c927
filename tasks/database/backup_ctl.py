"""backup-ctl: installed or upgraded by Helm, and TiDB patched by it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from shlex import quote
from typing import Any

from blocks.errors import CommandFailedError, RefusedError, TransientError, VerificationError
from blocks.ports import Host, KubeApi
from configs.database import Backup
from configs.hosts import Machine
from configs.platform import Platform
from tasks.database.control import control, ready_pod
from tasks.engine.finding import note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.shell.script import STRICT, facts, parse_facts

KUBECONFIG = "export KUBECONFIG=/etc/rancher/k3s/k3s.yaml\n"
HELM_GRACE_S = 60  # its own clock starts later, and it has to write down how it ended
ALREADY = "already"

Release = tuple[str, str, dict[str, str]]
"""Status, chart and the values that were given to it, ours and others'."""


def helm_values(platform: Platform, nodes: Sequence[Machine] = ()) -> dict[str, str]:
    """The chart's values as the runbook gives them, by their paths; `nodes` have the bricks, by default as configured."""
    backup = platform.backup
    named = {machine.name: machine for machine in platform.machines}
    bricks = nodes or [named[name] for name in backup.glusterfs_nodes] or platform.sources
    return {
        "common.env.ENV_EXPIRED_DAYS": str(backup.expired_days),
        "common.env.ENV_GLUSTERFS_NODE_VIP": str(platform.vip),
        "common.env.ENV_GLUSTERFS_NODE_IPS": ",".join(str(machine.address) for machine in bricks),
        "common.env.ENV_GLUSTERFS_NODE_HOSTNAMES": ",".join(machine.name for machine in bricks),
        "common.nodeSelectorValue": backup.node_selector_value,
    }


@step("install backup-ctl")
def ensure_backup_ctl(run: Run, helm: Host, platform: Platform, kube: KubeApi, nodes: Sequence[Machine] = ()) -> Outcome:
    """Make backup-ctl be deployed by Helm from the configured chart with the configured values, its pod Ready.

    Other values that somebody has given the release stay as they are. `nodes` are the machines with bricks, by default
    those of the config.

    Undo: helm rollback, or helm uninstall.
    """
    # probe
    backup, values = platform.backup, helm_values(platform, nodes)
    chart = PurePosixPath(backup.chart).name.removesuffix(".tgz")
    found = read_release(helm, backup, timeout_s=platform.timeouts.helm_s)
    status, present, given = found
    _refuse_pending(helm, platform, status)
    if _is_as_configured(found, chart, values) and ready_pod(kube, backup):
        return unchanged(f"{chart} is deployed, its pod is Ready")
    what = f"{chart} " + ("is installed" if not status else f"replaces {present}, {status}")
    if run.dry_run:
        return planned(what, diffs=(_diff(given, values),))

    # act
    with run.acting(helm.name, f"helm upgrade --install {backup.release}: {what}"):
        try:
            # Helm gives up by itself first: one that is killed leaves its release pending, for nobody to touch.
            timeout_s = platform.timeouts.helm_s + HELM_GRACE_S
            helm.run(_upgrade(platform, values, anew=not status), what="helm upgrade --install", timeout_s=timeout_s)
        except CommandFailedError as error:
            error.within(f"see helm history {backup.release} -n {backup.namespace} on {helm.name}")
            raise

    # verify
    wait_until(
        f"{platform.name}: a pod {backup.workload_label} in {backup.namespace} is Ready",
        lambda: ready_pod(kube, backup),
        timeout_s=platform.timeouts.pod_ready_s,
        still=lambda: f"kubectl describe pods -n {backup.namespace} -l {backup.workload_label}",
        id="backup-ctl-not-ready",
    )
    if not _is_as_configured(read_release(helm, backup, timeout_s=platform.timeouts.helm_s), chart, values):
        raise VerificationError(
            f"{helm.name}: Helm upgraded {backup.release}, but it is not as configured: "
            f"helm get values {backup.release} -n {backup.namespace}",
            id="helm-values-differ",
        )
    return changed(what)


@step("patch TiDB for BR")
def ensure_tidb_patched(run: Run, platform: Platform, kube: KubeApi) -> Outcome:
    """Make TiDB able to be backed up and restored: every TidbCluster's TiKV mounts the file lake, as BR needs it.

    Where nothing of that is to be seen, the control script is asked again each time; it recognises what it has patched itself.
    Undo: none needed; the patch only adds the ability.
    """
    # probe
    if mounted := _clusters_with_lake(kube, platform):
        return unchanged(f"TiKV of {', '.join(mounted)} mounts the file lake")
    if run.dry_run:
        return planned("patched, unless backup-ctl recognises it as patched")

    # act
    with run.acting(platform.name, "patching TiDB for BR"):
        said = control(kube, platform, "patch-tidb-for-br", timeout_s=platform.timeouts.helm_s)

    # verify
    if _clusters_with_lake(kube, platform):
        return changed(said)
    what = f"backup-ctl says {said!r}, yet no TidbCluster's TiKV mounts the file lake: it leaves another mark, if any"
    findings = (note("tidb-patch-not-visible", platform.name, what, "its patch command runs before every backup"),)
    return unchanged(said, findings=findings) if ALREADY in said.lower() else changed(said, findings=findings)


def _clusters_with_lake(kube: KubeApi, platform: Platform) -> list[str]:
    """The TidbClusters of the database, if all of them give their TiKV a volume of the file lake; otherwise none.

    BR runs in every TiKV, and needs the backup's folder there (docs.pingcap.com, Back up Data to PV; tidb-operator 1.1.8).
    """
    namespace, folder = platform.database and platform.database.namespace, PurePosixPath(platform.backup.lake.folder)
    lake = folder.parent.name if len(folder.parts) > 3 else folder.name  # /mnt/LAKE/backup, or /mnt/LAKE
    clusters = [one for one in kube.listed("TidbCluster") if namespace in (None, one["metadata"]["namespace"])]
    storing = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"].get("tikv") for one in clusters}
    mounting = [name for name, tikv in storing.items() if tikv and _mounts(tikv, lake)]
    return mounting if len(mounting) == sum(map(bool, storing.values())) else []


def _mounts(tikv: dict[str, Any], lake: str) -> bool:
    """Whether a mounted volume names the lake, by what it is or by where it is mounted."""
    volumes = {volume["name"]: json.dumps(volume) for volume in tikv.get("additionalVolumes") or ()}
    return any(lake in volumes[m["name"]] + m["mountPath"] for m in tikv.get("additionalVolumeMounts") or () if m["name"] in volumes)


def read_release(helm: Host, backup: Backup, *, timeout_s: float) -> Release:
    """The release as Helm knows it; all empty when there is none. Raises when Helm can't be asked."""
    question = {
        "helm": "command -v helm",
        "list": f"helm list -a -n {quote(backup.namespace)} -o json",
        "values": f"helm get values {quote(backup.release)} -n {quote(backup.namespace)} -o json",
    }
    script = KUBECONFIG + facts(question)
    said = parse_facts(helm.run(script, what="asking Helm", timeout_s=timeout_s).stdout)
    if not said["helm"]:
        raise RefusedError(
            f"{helm.name}: no `helm` there: install it, or name another machine in backup.helm_host", id="helm-missing"
        )
    found: list[dict[str, Any]] = json.loads(said["list"] or "[]")
    release = next((item for item in found if item["name"] == backup.release), {})
    if not said["list"] or (release and not said["values"]):  # a release without values answers null
        raise TransientError(
            f"{helm.name}: Helm does not answer there: does the API server run on that machine? systemctl status k3s",
            id="helm-silent",
        )
    return release.get("status", ""), release.get("chart", ""), _flat(json.loads(said["values"] or "null") or {})


def _refuse_pending(helm: Host, platform: Platform, status: str) -> None:
    if status.startswith("pending-"):
        release, undo = platform.backup.release, "uninstall" if status == "pending-install" else "rollback"
        raise RefusedError(
            f"{helm.name}: release {release} is {status}: another helm is at work, or was killed: wait for it, or there: "
            f"helm {undo} {release} -n {platform.backup.namespace}",
            id="helm-release-pending",
        )


def _is_as_configured(found: Release, chart: str, values: dict[str, str]) -> bool:
    status, present, given = found
    return (status, present) == ("deployed", chart) and values.items() <= given.items()


def _diff(given: dict[str, str], values: dict[str, str]) -> str:
    """What becomes of every value; those of others are named, and never shown: a password may be among them."""
    lines = []
    for name, value in values.items():
        same, former = given.get(name) == value, given.get(name)
        lines += [f"-{name}={former}"] if former is not None and not same else []
        lines.append(f"{' ' if same else '+'}{name}={value}")
    return "\n".join([*lines, *(f" {name}=********** (not ours, it stays)" for name in sorted(given.keys() - values.keys()))])


def _flat(values: dict[str, Any], path: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        where = f"{path}{name}"
        flat |= _flat(value, f"{where}.") if isinstance(value, dict) else {where: str(value)}
    return flat


def _upgrade(platform: Platform, values: dict[str, str], *, anew: bool) -> str:
    """Shell: upgrade or install, ours over what the release was given before, which never leaves the machine.

    With a value on its command line, Helm goes back to the chart's own for all others. Its --reuse-values would keep the old
    chart's defaults, too, which lack what a new chart needs (helm/helm#3957), and --reset-then-reuse-values came with 3.14.
    A comma inside a value is escaped: Helm reads it as the next value otherwise.
    """
    backup = platform.backup
    given = "{}" if anew else f"$(helm get values {quote(backup.release)} -n {quote(backup.namespace)} -o json)"
    settings = " ".join(
        "--set-string " + quote(f"{name}={value.replace(',', chr(92) + ',')}") for name, value in values.items()
    )
    return (
        f"{STRICT}{KUBECONFIG}given={given}\n"
        f'printf "%s\\n" "$given" | helm upgrade --install {quote(backup.release)} {quote(backup.chart)} '
        f"-n {quote(backup.namespace)} --create-namespace --values - {settings} --wait --timeout {platform.timeouts.helm_s:.0f}s\n"
    )
