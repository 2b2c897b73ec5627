"""Builds Runs, members and moments for tests, with everything unsaid being ordinary; it tests nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.instant import Instant
from kruntimes_core.model.run import Phase, Run
from kruntimes_core.model.runtime import AcceptState, Member, Runtime

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


def at(seconds: float) -> Instant:
    """Return the moment so many seconds into the test."""
    return Instant(EPOCH, 0.0).after(seconds)


def make_run(name: str = "r", *, needs: dict[str, int] | None = None, on: str = "", **changes: Any) -> Run:
    """Return a pending Run of Runtime bash; `on` assigns it to a member made by make_member."""
    run: dict[str, Any] = {
        "namespace": "default",
        "name": name,
        "uid": f"uid-{name}",
        "version": "1",
        "runtime": "bash",
        "created": EPOCH,
        "requests": {"runs": 1} | (needs or {}),
    }
    if on:
        assignment = Assignment(on, f"uid-{on}", f"instance-{on}")
        run |= {"phase": Phase.SCHEDULED, "attempt": 1, "assignment": assignment, "assigned": EPOCH}
    return Run(**run | changes)


def make_member(name: str = "a", *, runs: int = 1, **changes: Any) -> Member:
    """Return a ready member of Runtime bash with room for so many Runs."""
    member: dict[str, Any] = {
        "namespace": "default",
        "name": name,
        "runtime": "bash",
        "version": "1",
        "pod_uid": f"uid-{name}",
        "instance": f"instance-{name}",
        "accept_state": AcceptState.ACCEPTING,
        "capacity": {"runs": runs},
        "renewed": EPOCH,
    }
    return Member(**member | changes)


def make_runtime(name: str = "bash", **changes: Any) -> Runtime:
    """Return a Runtime."""
    runtime: dict[str, Any] = {"namespace": "default", "name": name, "uid": f"uid-{name}", "version": "1"}
    return Runtime(**runtime | changes)
