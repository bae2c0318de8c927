"""The shell profile, whole."""

from pathlib import Path

from tasks.k3s.files import k3s_profile

GOLDEN = Path(__file__).parent / "golden"


def test_the_shell_profile_is_whole() -> None:
    assert k3s_profile() == (GOLDEN / "k3s.sh").read_text()
