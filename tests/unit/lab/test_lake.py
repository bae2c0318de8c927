"""The switch of the lab's file lake."""

import pytest
import yaml

from configs.platform import Platform
from deployments.lab import inventory, lake, parts
from deployments.lab.shell import LabError


def test_without_the_switch_it_is_a_folder_and_no_brick_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_LAKE", raising=False)

    assert (lake.is_gluster(), lake.form(), lake.missing(), parts.gluster()) == (False, "", "", [])
    assert Platform.model_validate(yaml.safe_load(inventory.config())).backup.lake.move is False


def test_with_it_the_config_lets_bricks_move_and_the_initial_state_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_LAKE", "gluster")

    assert [part.name for part in parts.gluster()] == ["gluster"]
    assert lake.form()
    assert Platform.model_validate(yaml.safe_load(inventory.config())).backup.lake.move is True


def test_any_other_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_LAKE", "ceph")

    with pytest.raises(LabError, match="LAB_LAKE: 'ceph' is neither folder nor gluster"):
        lake.is_gluster()
