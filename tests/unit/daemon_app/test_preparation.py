"""Preparation: a Run's own faults are told from the member's, and leftovers nobody owns are swept."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kruntimes_core.apps.daemon.parameters import Parameters
from kruntimes_core.apps.daemon.preparation import Preparation
from kruntimes_core.daemon.instructions import Broken, Clear, Done, Fill, Unfillable
from kruntimes_core.model.reasons import Reason
from kruntimes_core.model.run import Run
from kruntimes_core.workspaces import Workspaces


def order(spec: Mapping[str, Any], uid: str = "u") -> Fill:
    run = Run("default", "r", uid, "1", "fake", datetime(2026, 1, 1, tzinfo=UTC), attempt=1, spec=spec)
    return Fill(1, run.key, run)


@pytest.fixture
async def preparation(tmp_path: Path) -> AsyncIterator[Preparation]:
    for leftover in ("held-1", "left-1", ".filling-0"):
        (tmp_path / leftover).mkdir()
    found = Preparation(Workspaces(str(tmp_path)))
    yield found
    found.close()


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


async def test_source_and_files_are_put_in_place_and_cleared(
    preparation: Preparation, tmp_path: Path
) -> None:
    fill = order({"source": {"inline": "echo"}, "files": [{"path": "d/f", "text": "x"}]})

    assert await preparation.fill(fill) == Done()
    assert Path(preparation.path(fill.key)) == tmp_path / "u-1"
    assert (tmp_path / "u-1/source").read_text() == "echo"
    assert (tmp_path / "u-1/d/f").read_text() == "x"

    assert await preparation.clear(Clear(2, fill.key)) == Done()
    assert "u-1" not in names(tmp_path)


FAULTS = {
    "a path that leaves": {"files": [{"path": "../x", "text": ""}]},
    "bad base64": {"files": [{"path": "x", "base64": "a"}]},
    "a file where the source goes": {"source": {"inline": ""}, "files": [{"path": "source", "text": ""}]},
}


@pytest.mark.parametrize("spec", FAULTS.values(), ids=FAULTS.keys())
async def test_a_fault_of_the_run_is_the_runs(preparation: Preparation, spec: Mapping[str, Any]) -> None:
    outcome = await preparation.fill(order(spec))

    assert isinstance(outcome, Unfillable)
    assert outcome.reason == Reason.SOURCE_INVALID


async def test_parameters_are_checked_before_anything_is_made(
    preparation: Preparation, tmp_path: Path
) -> None:
    preparation.parameters = Parameters('{"properties": {"n": {"type": "integer"}}}')
    before = names(tmp_path)

    outcome = await preparation.fill(order({"parameters": {"n": "x"}}))

    assert isinstance(outcome, Unfillable)
    assert outcome.reason == Reason.PARAMETERS_INVALID
    assert outcome.message.startswith("spec.parameters.n: ")
    assert names(tmp_path) == before


async def test_a_fault_of_the_disk_is_the_members(preparation: Preparation, tmp_path: Path) -> None:
    for path in tmp_path.iterdir():
        path.rmdir()
    tmp_path.rmdir()
    tmp_path.write_text("where the root should be")

    outcome = await preparation.fill(order({}))

    tmp_path.unlink()
    tmp_path.mkdir()
    assert isinstance(outcome, Broken)


async def test_what_a_daemon_before_this_one_left_is_swept(preparation: Preparation, tmp_path: Path) -> None:
    await preparation.fill(order({}, uid="left"))
    await preparation.fill(order({}, uid="new"))

    await preparation.sweep(frozenset({"held-1"}))

    assert names(tmp_path) == {"held-1", "left-1", "new-1"}


async def test_what_a_server_leaves_is_swept_at_the_second_look(
    preparation: Preparation, tmp_path: Path
) -> None:
    fill = order({}, uid="forgotten")
    await preparation.fill(fill)
    preparation.let_go(fill.key)

    await preparation.sweep(frozenset({"held-1"}))
    assert names(tmp_path) == {"held-1", "forgotten-1"}

    await preparation.sweep(frozenset())
    assert names(tmp_path) == {"held-1"}

    await preparation.sweep(frozenset())
    assert names(tmp_path) == set()
