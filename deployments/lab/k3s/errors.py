"""Why the stand-in stops; each text is written for the journal of the machine that shows it."""


class StartError(Exception):
    """k3s can't run as it was asked to. systemd may try again: the cause may lie outside this machine."""


class UnreachableError(StartError):
    """Nobody answered; the same question may be answered later."""
