"""backup-ctl's control script in its pod: what it is expected to do, and how it is run.

A subcommand of minutes is begun detached in the pod and then asked for: no connection has to live for hours, and a run that
is killed leaves a command that the next one finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar
from uuid import uuid4

from blocks.errors import (
    DeadlineExceededError,
    HostError,
    NotFoundError,
    OutcomeUnknownError,
    RefusedError,
    TransientError,
)
from blocks.ports import ExecResult, KubeApi
from configs.database import Backup
from configs.errors import EvenkeelError
from configs.platform import Platform
from tasks.engine.waiting import wait_until

T = TypeVar("T")
NO_API = re.compile(r"connection to the server \S+ was refused|unable to connect to the server", re.IGNORECASE)
"""What kubectl says in the pod when no API server took its request, so that nothing was begun."""
POLL_S = 5
# For any sh, also busybox's. A command's folder is made once, so that it is begun once however often `begin` is asked for; its
# exit code is there as a whole or not at all. A zombie that the pod's first process does not reap still takes signals: the code first.
DETACHED = """\
base=/tmp/evenkeel folder=/tmp/evenkeel/$2
alive() { [ ! -e "$1/exit" ] && [ -e "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2> /dev/null; }
running() { for other in "$base"/*; do if alive "$other"; then echo "${other##*/}"; return; fi; done; return 1; }
case $1 in
running) running || : ;;
begin)
    [ ! -d "$folder" ] || exit 0
    if running; then exit 0; fi
    rm -rf "$base" && mkdir -p "${base%/*}" && mkdir -m 700 "$base" "$folder" || exit 1
    shift 2
    (
        trap '' HUP
        "$@" > "$folder/out" 2> "$folder/err"
        echo $? > "$folder/code" && mv "$folder/code" "$folder/exit"
    ) < /dev/null > /dev/null 2>&1 &
    echo $! > "$folder/pid"
    ;;
look)
    if alive "$folder"; then
        echo running
    elif [ -e "$folder/exit" ]; then
        cat "$folder/exit" && tail -c 4000 "$folder/out" && tail -c 4000 "$folder/err" >&2
    else
        echo died
    fi
    ;;
esac
"""


def control(kube: KubeApi, platform: Platform, *words: str, timeout_s: float) -> str:
    """What backup-ctl's control script answers to a question, or to what does no harm when it runs twice.

    Raises HostError with its words when it fails, TransientError when what it lacked is the API server: the service
    `kubernetes` names a server that has gone until its lease ends, 15 s later (kubernetes/kubernetes#22609).
    """
    pod, backup = find_pod(kube, platform), platform.backup
    return _judged(platform, pod, words, kube.exec(backup.namespace, pod, [backup.control, *words], timeout_s=timeout_s))


def control_detached(kube: KubeApi, platform: Platform, *words: str, timeout_s: float) -> str:
    """What it answers to a subcommand that takes minutes or hours and must not run twice, begun once no other one of ours runs.

    Raises as `control` does, and OutcomeUnknownError when it still runs after `timeout_s`.
    """
    pod, name = find_pod(kube, platform), f"{words[0]}-{uuid4().hex[:8]}"
    ask = partial(_ask, kube, platform, pod, name)
    what = f"{platform.backup.namespace}/{pod}: {' '.join(words)}"

    def ended() -> ExecResult | None:
        try:
            found = ask("look")
        except NotFoundError:
            return ExecResult(0, "died\n", "")  # with its pod
        except HostError as error:
            raise _unknown(platform, pod, error) from error
        return None if found.stdout.startswith("running") else found

    _await(platform, pod, f"{what} begins", lambda: not ask("begin", platform.backup.control, *words).stdout, timeout_s)
    found = _await(platform, pod, f"{what} ends", ended, timeout_s)
    code, _, said = found.stdout.partition("\n")
    if not code.isdigit():
        raise HostError(
            f"{what}: it was killed there, or the pod was restarted: kubectl describe pod -n {platform.backup.namespace} {pod}, "
            "then run the same command again",
            id="backup-ctl-killed",
        )
    return _judged(platform, pod, words, ExecResult(int(code), said, found.stderr))


def await_detached(kube: KubeApi, platform: Platform, *, timeout_s: float) -> None:
    """Return when nothing runs any more that a run of ours has begun in the pod, a killed one included."""
    pod = find_pod(kube, platform)
    _await(platform, pod, "what a killed run has begun ends", lambda: not _ask(kube, platform, pod, "", "running").stdout, timeout_s)


def ready_pod(kube: KubeApi, backup: Backup) -> str | None:
    """A pod of backup-ctl that is Ready and stays, if there is one."""
    found = kube.pods_labelled(backup.namespace, backup.workload_label)
    return next((pod.name for pod in found if pod.ready and not pod.deleting), None)


def find_pod(kube: KubeApi, platform: Platform) -> str:
    """The pod to exec in. One that only starts, as after a power cut, is waited for. Raises RefusedError when none is Ready."""
    backup, timeout_s = platform.backup, platform.timeouts.pod_ready_s
    pods = f"{backup.workload_label} in namespace {backup.namespace}"
    if not (found := ready_pod(kube, backup)) and kube.pods_labelled(backup.namespace, backup.workload_label):
        with suppress(DeadlineExceededError):
            found = wait_until(f"backup-ctl: a pod {pods} is Ready", lambda: ready_pod(kube, backup), timeout_s=timeout_s, poll_s=POLL_S)
    if not found:
        raise RefusedError(f"backup-ctl: no Ready pod {pods}: kubectl get pods -n {backup.namespace}", id="backup-ctl-no-pod")
    return found


def _ask(kube: KubeApi, platform: Platform, pod: str, name: str, what: str, *argv: str) -> ExecResult:
    """One short exec; all of them may be repeated. A deadline of one is no answer, as a broken connection is none."""
    namespace, words = platform.backup.namespace, ["/bin/sh", "-c", DETACHED, "evenkeel", what, name, *argv]
    try:
        found = kube.exec(namespace, pod, words, timeout_s=platform.timeouts.command_s)
    except DeadlineExceededError as error:
        raise TransientError(error.message) from error
    if found.exit_code != 0:
        said = (found.stderr.strip() or found.stdout.strip())[-400:]
        raise HostError(f"{namespace}/{pod}: {what} in /tmp/evenkeel: exit code {found.exit_code}: {said}", id="backup-ctl-failed")
    return found


def _await(platform: Platform, pod: str, what: str, question: Callable[[], T | None], timeout_s: float) -> T:
    try:
        return wait_until(what, question, timeout_s=timeout_s, poll_s=POLL_S)
    except DeadlineExceededError as error:
        raise _unknown(platform, pod, error) from error


def _unknown(platform: Platform, pod: str, error: EvenkeelError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"{error.message}: the command may still be running there, and no second one is begun beside it: run the same command "
        f"again, which waits for it; see `kubectl exec -n {platform.backup.namespace} {pod} -- ps`",
        id="backup-ctl-not-ended",
    )


def _judged(platform: Platform, pod: str, words: tuple[str, ...], result: ExecResult) -> str:
    if result.exit_code != 0:
        said = (result.stderr.strip() or result.stdout.strip())[-400:]
        message = f"{platform.backup.namespace}/{pod}: {platform.backup.control} {' '.join(words)}: exit code {result.exit_code}: {said}"
        if NO_API.search(said):
            raise TransientError(message, id="backup-ctl-without-api")
        raise HostError(message, id="backup-ctl-failed")
    return result.stdout.strip()
