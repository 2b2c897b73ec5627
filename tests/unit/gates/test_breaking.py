"""The gate over the released protocol bites: on a copy of proto/, never on the tree itself."""

import shutil
from pathlib import Path

import pytest

from tests.gates import breaking


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A house with nothing in it but the protocol and the changelog."""
    shutil.copytree(breaking.ROOT / "proto", tmp_path / "proto")
    for name in ("buf.yaml", breaking.CHANGELOG):
        shutil.copy(breaking.ROOT / name, tmp_path / name)
    return tmp_path


def edit(root: Path, old: str, new: str) -> None:
    path = root / "proto/kruntimes/runtime/v1/runtime_service.proto"
    text = path.read_text()
    assert old in text, "the line this test edits has moved"
    path.write_text(text.replace(old, new, 1))


def test_the_committed_protocol_breaks_nobody(copy: Path) -> None:
    assert breaking.complaints(copy) == []


def test_a_removed_field_is_refused(copy: Path) -> None:
    edit(copy, "  // False when the key was already known.\n  bool created = 2;\n", "")

    (first, *_, advice) = breaking.complaints(copy)

    assert 'Previously present field "2" with name "created" on message "StartRunResponse"' in first
    assert advice.endswith("add fields, never remove or change them")


def test_a_renumbered_field_is_refused(copy: Path) -> None:
    edit(copy, "bool created = 2;", "bool created = 3;")

    assert breaking.complaints(copy)


def test_an_added_field_is_let_through(copy: Path) -> None:
    edit(copy, "bool created = 2;", "bool created = 2;\n  // New.\n  bool extra = 3;")

    assert breaking.complaints(copy) == []


def test_a_new_image_needs_its_line_in_the_changelog(copy: Path) -> None:
    edit(copy, "  // False when the key was already known.\n  bool created = 2;\n", "")
    breaking.write(copy)

    (only,) = breaking.complaints(copy)
    assert only.startswith("proto/released.binpb changed and CHANGELOG.md does not say so")

    changelog = copy / breaking.CHANGELOG
    changelog.write_text(changelog.read_text() + f"- Protocol: {breaking.digest(copy / breaking.IMAGE)}\n")
    assert breaking.complaints(copy) == []


def test_a_missing_image_is_refused(copy: Path) -> None:
    (copy / breaking.IMAGE).unlink()

    (only,) = breaking.complaints(copy)
    assert "is missing" in only
