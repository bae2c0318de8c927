"""The vendor's files, and those that flags name, reach their places whole, and no content of the latter is shown."""

from dataclasses import replace

import pytest

from blocks.errors import CommandFailedError, VerificationError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.files import AIRGAP_DIR, BINARY, PROFILE, check_named_files, ensure_k3s_files, ensure_named_files
from tasks.k3s.flags import REGISTRIES, named_files
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.unit.tasks.cases import POLICY, uninstalled, with_a_policy

BELOW = "/var/lib/rancher/k3s"
AGENT = {"agent_args": ["--docker", "--kubelet-arg=config=/etc/k3s/kubelet.yaml"]}


def stage(world: World) -> Outcome:
    return ensure_k3s_files.fn(world.run(), world.hosts["phys-1"], world.platform)


def test_files_lie_where_k3s_looks_for_them(world: World) -> None:
    uninstalled(world)

    stage(world)

    host = world.hosts["phys-1"]
    assert host.read(BINARY) == host.read("/opt/k3s/vendor/k3s")
    assert host.path(BINARY).stat().st_mode & 0o777 == 0o755
    airgap = "k3s-airgap-images-amd64.tar"
    assert host.path(f"{AIRGAP_DIR}/{airgap}").read_bytes() == host.path(f"/opt/k3s/vendor/{airgap}").read_bytes()
    assert host.read(PROFILE) == "# Written by evenkeel.\nexport KUBECONFIG=/etc/rancher/k3s/k3s.yaml\n"


@pytest.mark.parametrize("path", [BINARY, PROFILE])
def test_a_file_that_differs_is_replaced(world: World, path: str) -> None:
    stage(world)
    world.hosts["phys-1"].write(path, "half a fi", mode=0o755)

    assert path in stage(world).why
    assert world.hosts["phys-1"].read(path) != "half a fi"


def test_a_binary_that_is_not_executable_is_corrected(world: World) -> None:
    stage(world)
    world.hosts["phys-1"].path(BINARY).chmod(0o644)

    assert stage(world).change is Change.CHANGED
    assert world.hosts["phys-1"].path(BINARY).stat().st_mode & 0o111


def test_a_bundle_without_the_binary_is_an_error(world: World) -> None:
    world.hosts["phys-1"].path("/opt/k3s/vendor/k3s").unlink()

    with pytest.raises(CommandFailedError, match="staging /usr/local/bin/k3s"):
        stage(world)


def test_a_folder_in_the_place_of_the_images_is_an_error(world: World) -> None:
    uninstalled(world)
    world.hosts["phys-1"].path(f"{AIRGAP_DIR}/k3s-airgap-images-amd64.tar").mkdir(parents=True)

    with pytest.raises(VerificationError, match=r"^phys-1: staged files differ from those in /opt/k3s: df -h .*\[k3s-files-differ\]$"):
        stage(world)


def carry(world: World, *, dry: bool = False) -> Outcome:
    host, target = world.hosts["phys-1"], world.platform.targets[0]
    return ensure_named_files.fn(world.run(dry=dry), host, world.platform, target, world.kube, world.hosts["vm-1"], world.access)


def asked(world: World, name: str) -> list[str]:
    """What a machine was asked, without the look at it that gives access to the cluster."""
    return [call for call in world.hosts[name].calls if call != "reading the kubeconfig"]


def judge(world: World) -> list[str]:
    """What is found about the files that flags name."""
    try:
        checked = check_named_files.fn(world.run(), world.platform, world.kube, world.hosts, world.access)
    except FindingsError as error:
        return [str(finding) for finding in error.findings]
    return [str(finding) for finding in checked.findings]


@pytest.mark.parametrize(
    ("words", "flag", "paths"),
    [
        (["--kubelet-arg=config=/etc/kubelet.yaml"], "--kubelet-arg=config", ["/etc/kubelet.yaml"]),
        (["--kubelet-arg", "config=/etc/kubelet.yaml"], "--kubelet-arg=config", ["/etc/kubelet.yaml"]),
        (["--resolv-conf", "/etc/k3s-resolv.conf"], "--resolv-conf", ["/etc/k3s-resolv.conf"]),
        (["--private-registry=/etc/registries.yaml"], "--private-registry", ["/etc/registries.yaml"]),
        (["--kube-apiserver-arg=tls-sni-cert-key=/a.crt,/a.key"], "--kube-apiserver-arg=tls-sni-cert-key", ["/a.crt", "/a.key"]),
        ([f"--kubelet-arg=config={BELOW}/server/kubelet.yaml"], "--kubelet-arg=config", [f"{BELOW}/server/kubelet.yaml"]),
        (["--kube-apiserver-arg=audit-log-path=/var/log/a.log", "--log", "/var/log/k3s.log", "-o=/root/config"], "", []),
        ([f"--kubelet-arg=client-ca-file={BELOW}/agent/client-ca.crt", "--docker", "--tls-san=10.0.0.1"], "", []),
    ],
    ids=["kubelet", "two words", "a flag of k3s", "registries", "two files", "below k3s's folder", "written", "made by k3s"],
)
def test_flags_name_the_files_that_k3s_reads(words: list[str], flag: str, paths: list[str]) -> None:
    assert named_files(words) == {REGISTRIES: "--private-registry", **dict.fromkeys(paths, flag)}


def test_files_that_flags_name_are_carried_with_their_mode(world: World) -> None:
    with_a_policy(world)
    world.hosts["vm-1"].write(REGISTRIES, "auths: h0t\n", mode=0o600)

    assert carry(world).why == f"copied from vm-1: {REGISTRIES} (mode 600), {POLICY} (mode 640)"

    host = world.hosts["phys-1"]
    assert host.read(REGISTRIES) == "auths: h0t\n"
    assert [host.path(path).stat().st_mode & 0o777 for path in (REGISTRIES, POLICY)] == [0o600, 0o640]
    assert carry(world).change is Change.UNCHANGED


def test_content_that_is_no_text_is_carried_as_it_is(world: World) -> None:
    with_a_policy(world)
    world.hosts["vm-1"].path(POLICY).write_bytes(b"\x00\xff\n\n")

    carry(world)

    assert world.hosts["phys-1"].path(POLICY).read_bytes() == b"\x00\xff\n\n"


def test_another_file_in_its_place_is_kept_aside_and_the_plan_shows_no_content(world: World) -> None:
    with_a_policy(world)
    world.hosts["phys-1"].write(POLICY, "kind: h0t\n")

    plan = carry(world, dry=True)
    assert (plan.why, plan.diffs) == (f"copied from vm-1: {POLICY} (mode 640)", ())
    carry(world)
    assert world.hosts["phys-1"].read(f"{POLICY}.aside-before-join") == "kind: h0t\n"


def test_what_was_there_first_is_kept_also_when_the_sources_file_changes_later(world: World) -> None:
    with_a_policy(world)
    world.hosts["phys-1"].write(POLICY, "kind: theirs\n")
    carry(world)
    world.hosts["vm-1"].write(POLICY, "kind: Newer\n")

    carry(world)

    assert world.hosts["phys-1"].read(POLICY) == "kind: Newer\n"
    assert world.hosts["phys-1"].read(f"{POLICY}.aside-before-join") == "kind: theirs\n"


def test_the_content_leaves_the_source_only_when_it_is_needed(world: World) -> None:
    with_a_policy(world)
    carry(world)
    world.hosts["vm-1"].calls.clear()

    carry(world)

    assert asked(world, "vm-1") == ["looking at k3s's files"]


def test_the_files_of_a_node_are_its_own(world: World) -> None:
    with_a_policy(world)
    world.has_nodes("phys-1")

    assert carry(world).why == "a node has its own"


def test_a_file_that_does_not_stay_is_an_error(world: World) -> None:
    with_a_policy(world)
    host = world.hosts["phys-1"]
    host.changed = lambda _host: host.write(POLICY, "")

    with pytest.raises(VerificationError, match=rf"{POLICY} differ from those of vm-1 .*\[k3s-file-differs\]"):
        carry(world)


def test_files_that_a_running_server_has_are_no_finding(world: World) -> None:
    with_a_policy(world)

    assert judge(world) == []
    assert all(len(asked(world, source.name)) <= 1 for source in world.platform.sources)


def test_a_file_that_is_nowhere_is_refused_before_the_move(world: World) -> None:
    world.platform = platform(k3s={**CONFIG["k3s"], **AGENT})

    (found,) = judge(world)
    assert found.startswith("phys-3: --kubelet-arg=config names /etc/k3s/kubelet.yaml, which is neither there nor on vm-1: ")
    world.hosts["phys-3"].write("/etc/k3s/kubelet.yaml", "kind: KubeletConfiguration\n")
    assert judge(world) == []


def test_a_file_without_which_a_running_server_started_is_no_finding(world: World) -> None:
    flag = f"--kube-apiserver-arg=audit-policy-file={POLICY}"
    world.platform = platform(k3s={**CONFIG["k3s"], "server_args": ["--https-listen-port=10443", "--docker", flag]})
    node = world.kube.node_map["vm-1"]
    world.kube.node_map["vm-1"] = replace(node, args=("server", "--https-listen-port=10443", "--docker", flag))

    assert judge(world) == []


def test_a_file_that_is_too_large_is_refused_unless_it_is_there(world: World) -> None:
    with_a_policy(world)
    large = "x" * (2**20 + 1)
    world.hosts["vm-1"].write(POLICY, large)

    assert [line.partition(":")[0] for line in judge(world)] == ["phys-1", "phys-2"]
    assert "its content is 1048577-bytes: copy it there, with its mode and owner [k3s-file-not-carried]" in judge(world)[0]
    for name in ("phys-1", "phys-2"):
        world.hosts[name].write(POLICY, large, mode=0o640)
    assert judge(world) == []


def test_a_folder_is_not_carried_and_reported(world: World) -> None:
    with_a_policy(world)
    world.hosts["vm-1"].path(POLICY).unlink()
    world.hosts["vm-1"].path(POLICY).mkdir()

    assert [line.rpartition(" ")[2] for line in judge(world)] == ["[k3s-folder-not-carried]"] * 2
