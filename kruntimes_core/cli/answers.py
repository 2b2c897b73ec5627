"""The answer of `krt why` as plain values, the same for a person and for a program. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kruntimes import Run, Timings

from kruntimes_core.cli.advice import advise
from kruntimes_core.cli.amounts import in_order
from kruntimes_core.cli.receipt import Step, receipt
from kruntimes_core.model.resources import Amounts
from kruntimes_core.pools.pool import as_quantity
from kruntimes_core.scheduling.explanation import FILTER_NAMES, Explanation, Verdict

Answer = dict[str, Any]
MOST_EVENTS = 10


def answer_of(
    run: Run, explanation: Explanation | None, events: Sequence[Mapping[str, Any]], now: datetime
) -> Answer:
    """Return all that is known of why a Run is where it is."""
    status = run.object.get("status") or {}
    steps = receipt(_timings(run), None if run.result else now)
    answer: Answer = {
        "name": run.name,
        "namespace": run.namespace,
        "runtime": run.runtime,
        "phase": run.phase,
        "reason": run.reason,
        "message": run.message,
        "attempt": run.attempt,
        "losses": int(status.get("losses") or 0),
        "member": run.pod,
        "excluded": list(status.get("excludedPods") or ()),
    }
    if explanation is not None:
        answer["waits"] = _wait(explanation)
        answer["members"] = [_member(verdict) for verdict in explanation.verdicts]
    answer["receipt"] = [asdict(step) for step in steps]
    answer["total"] = _total(steps)
    answer["events"] = [_event(event) for event in _latest(events)]
    answer["do"] = advise(run, explanation)
    return answer


def _timings(run: Run) -> Timings:
    """Return its receipt; until a scheduler has written anything, it has waited since its creation."""
    found = (run.object.get("status") or {}).get("timings") or {}
    moments = {"queued": run.object["metadata"]["creationTimestamp"], **found}
    return Timings(**{name: datetime.fromisoformat(at) for name, at in moments.items()})


def _wait(explanation: Explanation) -> Answer:
    place = explanation.place
    return {
        "for": explanation.reason.value if explanation.reason else "",
        "runtimeExists": explanation.runtime_exists,
        "seconds": explanation.waited,
        "backoffSeconds": explanation.backoff,
        "secondsLeft": explanation.time_left,
        "requests": quantities(explanation.run.requests),
        "place": asdict(place) if place else None,
    }


def _member(verdict: Verdict) -> Answer:
    return {
        "name": verdict.member,
        "state": "Lost" if verdict.lost else verdict.accept_state.value,
        "silentSeconds": verdict.silent,
        "filters": dict(zip(FILTER_NAMES, verdict.passes, strict=True)),
        "free": quantities(verdict.free),
        "capacity": quantities(verdict.capacity),
        "fits": verdict.fits,
    }


def quantities(amounts: Amounts) -> dict[str, str]:
    """Return amounts as Kubernetes writes them, exact."""
    return {name: as_quantity(name, amounts[name]) for name in in_order(amounts)}


def _total(steps: Sequence[Step]) -> float:
    return sum(step.seconds for step in steps)


def _latest(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(events, key=_when)[-MOST_EVENTS:]


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])


def _event(event: Mapping[str, Any]) -> Answer:
    shown = {key: str(event.get(key) or "") for key in ("type", "reason", "message")}
    return {"at": _when(event), **shown}
