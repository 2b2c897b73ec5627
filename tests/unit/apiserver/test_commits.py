"""Commits: one turn of the loop is one batch, and what is not on disk is never acknowledged."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from kruntimes_core.dev.apiserver.commits import Commits
from kruntimes_core.dev.apiserver.sqlite_log import Row, SqliteLog
from kruntimes_core.dev.apiserver.store import Event, Store

BUCKET = "example.org/boats"


class CountedLog(SqliteLog):
    """A log that takes note of its batches, and can be full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.batches: list[int] = []
        self.full = False

    def append(self, rows: Iterable[Row]) -> None:
        if self.full:
            raise OSError("no space left on device")
        found = list(rows)
        self.batches.append(len(found))
        super().append(found)


def put(store: Store, name: str, gone: bool = False) -> Event:
    return store.submit(BUCKET, ("n", name), None if gone else {"metadata": {"name": name}})


async def test_writes_of_one_turn_share_a_transaction(tmp_path: Path) -> None:
    log, store = CountedLog(tmp_path / "state.db"), Store(0)
    commits = Commits(store, log, lambda error: None)
    events = [put(store, "a"), put(store, "b"), put(store, "a"), put(store, "b", gone=True)]
    await asyncio.gather(*map(commits.commit, events))
    assert log.batches == [4]
    await commits.commit(put(store, "c"))
    assert log.batches == [4, 1]
    log.close()
    again = SqliteLog(tmp_path / "state.db")
    assert [(row.name, row.version) for row in again.rows()] == [("a", 3), ("c", 5)]
    assert again.version() == 5
    again.close()


async def test_the_highest_version_is_kept_though_its_object_is_gone(tmp_path: Path) -> None:
    log, store = SqliteLog(tmp_path / "state.db"), Store(0)
    commits = Commits(store, log, lambda error: None)
    await commits.commit(put(store, "a"))
    await commits.commit(put(store, "a", gone=True))
    log.close()
    again = SqliteLog(tmp_path / "state.db")
    assert (list(again.rows()), again.version()) == ([], 2)
    again.close()


async def test_a_full_disk_acknowledges_nothing_and_says_so(tmp_path: Path) -> None:
    log, store, failures = CountedLog(tmp_path / "state.db"), Store(0), list[Exception]()
    commits = Commits(store, log, failures.append)
    await commits.commit(put(store, "a"))
    log.full = True
    answers = await asyncio.gather(
        *(commits.commit(put(store, name)) for name in "bc"), return_exceptions=True
    )
    assert [str(answer) for answer in answers] == ["no space left on device"] * 2
    assert [str(failure) for failure in failures] == ["no space left on device"]
    log.full = False
    with pytest.raises(OSError, match="no space left"):
        await commits.commit(put(store, "d"))
    assert [entry.key[1] for entry in store.listing(BUCKET, None)] == ["a"]
    log.close()
