"""Events of the embedded server live for an hour after their last write, and nothing else is touched."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kruntimes_core.dev.apiserver.plane import Plane
from kruntimes_core.dev.apiserver.resources import Resource
from kruntimes_core.dev.apiserver.writes import Place
from kruntimes_core.model.instant import Instant


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = Instant(datetime(2026, 1, 1, tzinfo=UTC), 0.0)

    def now(self) -> Instant:
        return self.at

    def move(self, seconds: float) -> None:
        self.at = self.at.after(seconds)


def resource(plane: Plane, plural: str) -> Resource:
    found = plane.registry.get("", "v1", plural)
    assert found is not None
    return found


def names(plane: Plane, plural: str) -> list[str]:
    return [entry.key[1] for entry in plane.store.listing(f"/{plural}", None)]


async def make(plane: Plane, plural: str, name: str) -> None:
    body: dict[str, Any] = {"metadata": {"name": name}}
    await plane.writes.create(resource(plane, plural), "default", body, dry_run=False)


def fail(error: Exception) -> None:
    raise error


async def test_an_event_goes_an_hour_after_it_was_last_written(tmp_path: Path) -> None:
    clock = Clock()
    plane = Plane(tmp_path, clock, fail)
    await plane.prepare([])
    for name in ("told-once", "told-again"):
        await make(plane, "events", name)
    await make(plane, "configmaps", "kept")
    clock.move(3000)
    again = Place(resource(plane, "events"), "default", "told-again")
    await plane.writes.change(again, lambda event: event | {"count": 2})
    clock.move(700)
    await plane.events.sweep()
    assert names(plane, "events") == ["told-again"]
    clock.move(3000)
    await plane.events.sweep()
    assert names(plane, "events") == []
    assert names(plane, "configmaps") == ["kept"]
    plane.close()


async def test_after_a_new_start_an_event_has_an_hour_again(tmp_path: Path) -> None:
    clock = Clock()
    plane = Plane(tmp_path, clock, fail)
    await plane.prepare([])
    await make(plane, "events", "old")
    plane.close()
    clock.move(10_000)
    plane = Plane(tmp_path, clock, fail)
    await plane.events.sweep()
    assert names(plane, "events") == ["old"]
    clock.move(3601)
    await plane.events.sweep()
    assert names(plane, "events") == []
    plane.close()
