"""The file lake in the config: a path, or more of it."""

import pytest
from pydantic import ValidationError

from tests.fakes.platform import CONFIG, platform


def test_a_path_is_the_folder_of_the_archives() -> None:
    lake = platform(backup={**CONFIG["backup"], "lake": "/srv/lake/backup"}).backup.lake

    assert (lake.folder, lake.move, lake.brick) == ("/srv/lake/backup", False, None)


def test_moving_is_off_unless_it_is_written() -> None:
    assert platform().backup.lake.move is False
    assert platform(backup={**CONFIG["backup"], "lake": {"move": True}}).backup.lake.folder == "/mnt/uap-global/backup"


@pytest.mark.parametrize("wrong", ["relative", {"folder": "/"}, {"brick": "/a b"}, {"bricks": "/data"}])
def test_wrong_paths_and_keys_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError, match="lake"):
        platform(backup={**CONFIG["backup"], "lake": wrong})
