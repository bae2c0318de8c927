"""backup-ctl's control script, begun by exec in its pod."""

from __future__ import annotations

import re

from blocks.errors import (
    DeadlineExceededError,
    ExecBrokenError,
    HostError,
    OutcomeUnknownError,
    RefusedError,
    TransientError,
)
from blocks.ports import KubeApi
from configs.platform import Platform

REPEATABLE = ("ls-tar", "ls-backup", "patch-tidb-for-br")
"""Subcommands that do no harm when they run twice."""
NO_API = re.compile(r"connection to the server \S+ was refused|unable to connect to the server", re.IGNORECASE)
"""What kubectl says in the pod when no API server took its request, so that nothing was begun."""


def control(kube: KubeApi, platform: Platform, *words: str, timeout_s: float) -> str:
    """What backup-ctl's control script answers, without a terminal.

    Raises HostError with its words when it fails, OutcomeUnknownError when its answer got lost, TransientError when what
    it lacked is the API server: the service `kubernetes` names a server that has gone until its lease ends, 15 s later
    (kubernetes/kubernetes#22609).
    """
    backup = platform.backup
    pod = kube.pod_named(backup.namespace, backup.workload_label)
    if pod is None:
        raise RefusedError(
            f"backup-ctl: no Ready pod {backup.workload_label} in namespace {backup.namespace}: "
            f"kubectl get pods -n {backup.namespace}",
            id="backup-ctl-no-pod",
        )
    try:
        result = kube.exec(backup.namespace, pod, [backup.control, *words], timeout_s=timeout_s)
    except (ExecBrokenError, DeadlineExceededError) as error:
        if words[0] in REPEATABLE:
            raise
        raise OutcomeUnknownError(
            f"{error.message}: {' '.join(words)} may still be running there, and is not begun a second time beside it: wait until "
            f"`kubectl exec -n {backup.namespace} {pod} -- ps` shows it no more, then run the same command again",
            id="backup-ctl-answer-lost",
        ) from error
    if result.exit_code != 0:
        said = (result.stderr.strip() or result.stdout.strip())[-400:]
        message = f"{backup.namespace}/{pod}: {backup.control} {' '.join(words)}: exit code {result.exit_code}: {said}"
        if NO_API.search(said):
            raise TransientError(message, id="backup-ctl-without-api")
        raise HostError(message, id="backup-ctl-failed")
    return result.stdout.strip()
