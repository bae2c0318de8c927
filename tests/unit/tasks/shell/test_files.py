"""Files compared."""

from tasks.shell.files import diff


def test_files_that_are_the_same_have_no_diff() -> None:
    assert diff("/etc/hosts", "a\n", "a\n") == ""


def test_a_diff_names_the_file_before_and_after() -> None:
    assert diff("/etc/hosts", "a\n", "b\n") == "--- /etc/hosts (now)\n+++ /etc/hosts (then)\n@@ -1 +1 @@\n-a\n+b"
