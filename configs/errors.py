"""The words for what can go wrong. Every error of ours tells its reader one thing more: whether a retry can help.

Messages read ``host: what was being done: what happened: what to type next``.
"""

from __future__ import annotations


class EvenkeelError(Exception):
    """Base of all our errors. `retryable` is the only thing that callers may branch on."""

    retryable = False

    def within(self, context: str) -> None:
        """Put what the error happened in before its message."""
        self.args = (f"{context}: {self}",)


class ConfigError(EvenkeelError):
    """The wish is wrong. Raised before any host is contacted."""


class RefusedError(EvenkeelError):
    """Acting would do harm, so nothing was changed. The message says what to type."""


class QuorumAtRiskError(RefusedError):
    """The change would leave etcd with fewer healthy voters than its quorum."""


class AnotherRunError(RefusedError):
    """Another run acts on this platform, or this run has lost its lock to one."""


class InterruptionError(RefusedError):
    """Clients of the platform have waited for longer than the config allows; no further change is begun."""


class HostError(EvenkeelError):
    """A machine was reached and said no."""


class CommandFailedError(HostError):
    """A command on a machine ended with a non-zero exit code."""

    def __init__(self, host: str, what: str, exit_code: int, stderr_tail: str) -> None:
        super().__init__(f"{host}: {what}: exit code {exit_code}: {stderr_tail or 'no message'}")
        self.host = host
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


class VerificationError(HostError):
    """The step was done, and the world, asked again, does not agree for good."""


class TransientError(EvenkeelError):
    """Nobody said no; trying again can help."""

    retryable = True


class HostUnreachableError(TransientError):
    """SSH to a machine could not be opened, or broke."""


class EtcdUnavailableError(TransientError):
    """No member of the etcd cluster answered, or the cluster is settling."""


class KubeUnavailableError(TransientError):
    """No API server of the platform answered."""


class OutcomeUnknownError(EvenkeelError):
    """A command that must not run twice was begun, and its answer got lost: it may still be at work. Never retried by itself."""


class DeadlineExceededError(EvenkeelError):
    """What was awaited did not come true in time. Not retried: the deadline has already allowed for what can pass."""


class ExecBrokenError(KubeUnavailableError):
    """The connection to a command in a pod broke: it may be done, not begun, or still at work there."""


class EvictionBlockedError(TransientError):
    """The API server declined an eviction for now (a PodDisruptionBudget)."""


class ApprovalMissingError(RefusedError):
    """A person has not said yes to this very plan."""
