"""The shared token: made once, whole, for its owner alone."""

import stat
from pathlib import Path

import pytest

from kruntimes_core.apps.daemon.token import share_token


def test_a_token_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "token"

    token = share_token(str(path))

    assert len(bytes.fromhex(token)) == 32
    assert share_token(str(path)) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["token"]


def test_a_token_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("theirs\n")

    assert share_token(str(path)) == "theirs"


def test_an_empty_token_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch()

    with pytest.raises(ValueError, match="is empty"):
        share_token(str(path))
