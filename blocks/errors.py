"""What can go wrong beyond a configuration. An error's type says whether a retry can help."""

from __future__ import annotations

from configs.errors import EvenkeelError


class RefusedError(EvenkeelError):
    """Acting would do harm, so nothing was changed. The message says what to type."""


class AnotherRunError(RefusedError):
    """Another run acts on this platform, or this run has lost its lock to one."""

    id = "another-run"


class HostError(EvenkeelError):
    """A machine was reached and said no."""

    id = "host-error"


class CommandFailedError(HostError):
    """A command on a machine ended with a non-zero exit code."""

    id = "command-failed"

    def __init__(self, host: str, what: str, exit_code: int, stderr_tail: str, *, id: str = "") -> None:
        super().__init__(f"{host}: {what}: exit code {exit_code}: {stderr_tail or 'no message'}", id=id)
        self.host = host
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


class NotFoundError(HostError):
    """The Kubernetes API says 404."""

    id = "api-not-found"


class EtcdUnsupportedError(HostError):
    """An etcd answers that can't be spoken to: by TLS only, too old, or without its JSON gateway."""


class VerificationError(HostError):
    """The step was done, and the world, asked again, does not agree for good."""


class TransientError(EvenkeelError):
    """Nobody said no; trying again can help."""

    retryable = True
    id = "not-yet"


class HostUnreachableError(TransientError):
    """SSH to a machine could not be opened, or broke."""

    id = "host-unreachable"


class EtcdUnavailableError(TransientError):
    """No member of the etcd cluster answered, or the cluster is settling."""

    id = "etcd-unavailable"


class KubeUnavailableError(TransientError):
    """No API server of the platform answered."""

    id = "api-unavailable"


class OutcomeUnknownError(EvenkeelError):
    """A command that must not run twice was begun, and its answer was lost: it may still be running. Never retried automatically."""


class DeadlineExceededError(EvenkeelError):
    """What was awaited did not come true in time. Not retried: the deadline has already allowed for what can pass."""

    id = "deadline-exceeded"


class ExecBrokenError(KubeUnavailableError):
    """The connection to a command in a pod broke: it may be done, not begun, or still at work there."""

    id = "exec-broken"


class EvictionBlockedError(TransientError):
    """The API server declined an eviction for now (a PodDisruptionBudget)."""

    id = "eviction-blocked"
