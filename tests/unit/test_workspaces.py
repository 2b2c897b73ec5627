"""Workspaces: what a Run names lands inside its own directory, or nowhere."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kruntimes_core.workspaces import BadPath, File, Workspaces, split_path


@pytest.fixture
def workspaces(tmp_path: Path) -> Iterator[Workspaces]:
    found = Workspaces(str(tmp_path / "root"))
    yield found
    found.close()


def names(workspaces: Workspaces) -> list[str]:
    return sorted(os.listdir(workspaces.root))


def test_files_land_with_their_parents_and_modes(workspaces: Workspaces) -> None:
    path = Path(workspaces.fill("u-1", [File("source", b"echo hi"), File("a/./b//c.txt", b"\xff\0")]))

    assert path == Path(workspaces.path("u-1"))
    assert (path / "source").read_bytes() == b"echo hi"
    assert (path / "a/b/c.txt").read_bytes() == b"\xff\0"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((path / "a/b/c.txt").stat().st_mode) & 0o600 == 0o600


HOSTILE = {
    "leaves the directory": "../x",
    "leaves it from below": "a/../../x",
    "leaves it and comes back": "a/../x",
    "is absolute": "/etc/cron.d/x",
    "is empty": "",
    "is only dots and slashes": "././",
    "holds a NUL": "a\0b",
    "is not text": "a\ud800",
    "has a part too long": "a" * 256,
    "is too long": "a/" * 2048 + "b",
}


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_path_is_refused_and_leaves_nothing(workspaces: Workspaces, path: str) -> None:
    with pytest.raises(BadPath):
        workspaces.fill("u-1", [File("fine", b""), File(path, b"x")])

    assert names(workspaces) == []


CLASHES = {
    "the same path twice": ["a", "a"],
    "the same path spelled twice": ["a/b", "a/./b"],
    "a file as a directory": ["a", "a/b"],
    "a directory as a file": ["a/b", "a"],
}


@pytest.mark.parametrize("paths", CLASHES.values(), ids=CLASHES.keys())
def test_files_that_clash_are_refused_with_the_path(workspaces: Workspaces, paths: list[str]) -> None:
    with pytest.raises(BadPath, match=paths[1]):
        workspaces.fill("u-1", [File(path, b"x") for path in paths])

    assert names(workspaces) == []


@pytest.mark.parametrize("planted", ["dir/x", "file"])
def test_a_link_planted_while_the_directory_is_filled_is_not_followed(
    workspaces: Workspaces, tmp_path: Path, planted: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    def files_with_a_planter() -> Iterator[File]:
        yield File("first", b"")
        (filling,) = Path(workspaces.root).iterdir()
        (filling / "dir").symlink_to(outside)
        (filling / "file").symlink_to(outside / "made")
        yield File(planted, b"x")

    with pytest.raises(BadPath):
        workspaces.fill("u-1", files_with_a_planter())

    assert list(outside.iterdir()) == []
    assert names(workspaces) == []


def test_a_link_planted_in_place_of_the_directory_is_replaced(workspaces: Workspaces, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").touch()
    os.symlink(outside, workspaces.path("u-1"))

    workspaces.fill("u-1", [File("x", b"x")])

    assert not os.path.islink(workspaces.path("u-1"))
    assert [entry.name for entry in outside.iterdir()] == ["keep"]
    assert names(workspaces) == ["u-1"]


def test_a_directory_left_from_before_is_replaced_whole(workspaces: Workspaces) -> None:
    workspaces.fill("u-1", [File("old", b"")])

    workspaces.fill("u-1", [File("new", b"")])

    assert os.listdir(workspaces.path("u-1")) == ["new"]
    assert names(workspaces) == ["u-1"]


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "", "/x"])
def test_a_directory_of_another_kind_of_name_is_refused(workspaces: Workspaces, name: str) -> None:
    with pytest.raises(BadPath):
        workspaces.fill(name, [])


def test_a_big_file_is_written_whole(workspaces: Workspaces) -> None:
    data = os.urandom(1 << 20) * 8

    path = workspaces.fill("u-1", [File("big", data)])

    assert Path(path, "big").read_bytes() == data


def test_a_tree_of_any_depth_is_removed(workspaces: Workspaces) -> None:
    fd = os.open(workspaces.fill("u-1", []), os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)

    workspaces.remove("u-1")

    assert names(workspaces) == []


def test_closed_directories_and_odd_files_are_removed_and_targets_of_links_stay(
    workspaces: Workspaces, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    top = Path(workspaces.fill("u-1", [File("a/b/c", b"")]))
    (top / "a/link").symlink_to(target)
    os.mkfifo(top / "a/fifo")
    (top / "a/b").chmod(0)
    (top / "a").chmod(0)
    top.chmod(0)

    workspaces.remove("u-1")

    assert names(workspaces) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_removing_what_is_not_there_is_fine(workspaces: Workspaces) -> None:
    workspaces.remove("u-1")


def test_whatever_was_left_can_be_removed(workspaces: Workspaces) -> None:
    workspaces.fill("left-1", [File("a/b", b"")])
    os.mkdir(workspaces.path(".filling-0123"))
    os.mkdir(workspaces.path(".removed-0123-4"))
    Path(workspaces.path("stray-1")).touch()
    os.symlink("/", workspaces.path("link-1"))
    assert workspaces.names() == {".filling-0123", ".removed-0123-4", "left-1", "link-1", "stray-1"}

    for name in workspaces.names():
        workspaces.remove(name)

    assert names(workspaces) == []


def test_what_a_server_keeps_beside_the_runs_is_not_ours(workspaces: Workspaces) -> None:
    for name in (".server", "lost+found", "cache"):
        os.mkdir(workspaces.path(name))

    assert workspaces.names() == frozenset()


def test_split_path_gives_the_parts() -> None:
    assert split_path("a/./b//c") == (b"a", b"b", b"c")


@pytest.mark.parametrize("gone", ["removed", "moved away"])
def test_a_root_that_a_program_took_away_is_made_anew(tmp_path: Path, gone: str) -> None:
    root = tmp_path / "pod" / "workspaces"
    workspaces = Workspaces(str(root))
    if gone == "removed":
        root.rmdir()
        root.parent.rmdir()
    else:
        root.rename(tmp_path / "elsewhere")

    made = workspaces.fill("uid-1", [File("a", b"x")])

    assert Path(made, "a").read_bytes() == b"x"
    assert workspaces.names() == {"uid-1"}
    workspaces.close()
