"""Directories of Runs: nothing is read, written or removed through a link."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime_servers.local import workspace
from runtime_servers.local.messages import FILE_LARGE, FILE_NOT_PLAIN, FILE_READ, Left


@pytest.fixture
def top(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, workspace.DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_files_are_written_with_the_directories_they_need(top: int, tmp_path: Path) -> None:
    workspace.write_files(top, [("a/b/c", b"1"), ("./a//d", b"2"), ("e", b"3")])
    read = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert read == {"a/b/c": b"1", "a/d": b"2", "e": b"3"}


@pytest.mark.parametrize("path", ["link/x", "file/x", "file", "a/../../x"])
def test_a_file_that_leads_out_or_is_in_the_way_is_not_written(top: int, tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match=r"."):
        workspace.write_files(top, [(path, b"new")])
    assert (tmp_path / "file").read_text() == "old"


def test_only_plain_files_inside_are_files(top: int, tmp_path: Path) -> None:
    workspace.write_files(top, [("a/b", b"")])
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "to-file").symlink_to("a/b")
    paths = ("a/b", "a", "a/b/c", "none", "link/b", "to-file", "../x", "/", ".", "")
    assert [path for path in paths if workspace.is_file(top, path)] == ["a/b"]


def test_what_a_program_left_is_read_from_a_plain_file_of_one_name(top: int, tmp_path: Path) -> None:
    assert workspace.read_left(top, "o", 3) == Left(FILE_READ)
    (tmp_path / "o").write_bytes(b"a=1")
    assert workspace.read_left(top, "o", 3) == Left(FILE_READ, b"a=1")
    os.link(tmp_path / "o", tmp_path / "hard")
    (tmp_path / "soft").symlink_to("o")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    for name in ("hard", "soft", "fifo", "directory"):
        assert workspace.read_left(top, name, 3) == Left(FILE_NOT_PLAIN)
    (tmp_path / "large").write_bytes(bytes(4))
    assert workspace.read_left(top, "large", 3) == Left(FILE_LARGE)


def test_a_tree_is_removed_and_nothing_it_points_to(top: int, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "inside").mkdir(parents=True)
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/link").symlink_to(kept)
    (tree / "a/up").symlink_to("..")
    os.mkfifo(tree / "fifo")
    (tree / "a/b").chmod(0)
    workspace.remove(top, "tree")
    (tmp_path / "link").symlink_to(kept)
    workspace.remove(top, "link")
    workspace.remove(top, "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    assert (kept / "inside").is_dir()


def test_a_tree_deeper_than_any_path_may_be_is_removed(top: int, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    below = os.open(tmp_path / "deep", workspace.DIRECTORY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=below)
        deeper = os.open("d", workspace.DIRECTORY, dir_fd=below)
        os.close(below)
        below = deeper
    os.close(below)
    workspace.remove(top, "deep")
    assert list(tmp_path.iterdir()) == []
