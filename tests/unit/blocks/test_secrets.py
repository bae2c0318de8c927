"""Secrets come by reference, and a missing one is reported before anything begins."""

import pytest

from blocks.errors import HostError
from blocks.kube_credentials import parse_kubeconfig
from blocks.secrets import resolve_secret
from configs.base import SecretRef
from configs.errors import ConfigError
from tasks.vip.instance import refuse_long_auth_pass
from tests.fakes.machines import LIVE_CA, kubeconfig, sha256

REF = SecretRef(env="DEMO_SECRET")


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SECRET", "s3cret")

    found = resolve_secret(REF)

    assert found.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("value", [None, ""])
def test_a_secret_that_is_not_set_is_reported_with_what_to_type(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("DEMO_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("DEMO_SECRET", value)

    with pytest.raises(ConfigError, match=r"environment variable DEMO_SECRET is not set: export DEMO_SECRET="):
        resolve_secret(REF)


@pytest.mark.parametrize("value", ["p4ss\n", "p4\nss", "\n"])
def test_a_secret_of_several_lines_is_refused_and_not_quoted(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DEMO_SECRET", value)

    with pytest.raises(ConfigError, match="environment variable DEMO_SECRET does not hold one line: ") as refused:
        resolve_secret(REF)
    assert "p4" not in str(refused.value)


def test_a_password_that_keepalived_would_cut_is_refused_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SECRET", "n1ne-char")

    with pytest.raises(
        ConfigError, match=r"keepalived.auth_pass: .* has 9 characters, keepalived reads the first 8"
    ) as refused:
        refuse_long_auth_pass(REF, resolve_secret(REF))
    assert "n1ne" not in str(refused.value)


def test_a_password_of_eight_characters_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SECRET", "8-chars!")

    refuse_long_auth_pass(REF, resolve_secret(REF))


def test_a_kubeconfig_names_its_cluster_and_hides_its_key() -> None:
    found = parse_kubeconfig("vm-1", kubeconfig(LIVE_CA))

    assert found.ca_sha256 == sha256(LIVE_CA)
    assert "pr1vate" not in repr(found)


@pytest.mark.parametrize(
    "text", ["", "words", "clusters: []", "a: [", kubeconfig(LIVE_CA).replace("client-key-data", "token")]
)
def test_what_is_no_kubeconfig_is_refused_without_being_quoted(text: str) -> None:
    said = r"^vm-1: /etc/rancher/k3s/k3s.yaml is no kubeconfig with client certificates \[kubeconfig-invalid\]$"
    with pytest.raises(HostError, match=said):
        parse_kubeconfig("vm-1", text)
