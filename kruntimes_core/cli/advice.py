"""What a person does next about a Run, in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kruntimes import Run

from kruntimes_core.cli.amounts import in_order, show_amount, show_amounts, show_seconds
from kruntimes_core.model.reasons import Reason
from kruntimes_core.scheduling.explanation import Explanation

RUNTIME_LABEL = "kruntimes.io/runtime"
LOSSES = frozenset({Reason.MEMBER_LOST, Reason.SERVER_LOST, Reason.DAEMON_LOST})
# A scheduler that runs needs milliseconds for a Run that fits.
PATIENCE_SECONDS = 3.0


def advise(run: Run, explanation: Explanation | None) -> str:
    """Return what to do about a Run; `explanation` is there while it waits."""
    if run.result is not None:
        return _ended(run)
    if explanation is None:
        follow, cancel = f"`krt logs -f {run.name}` follows it", f"`krt cancel {run.name}` ends it"
        return f"nothing to do: it is under way; {follow}, {cancel}"
    if explanation.backoff > 0:
        return f"wait: its next attempt may begin in {show_seconds(explanation.backoff)}"
    if explanation.reason is None:
        return _next_to_go(explanation)
    return _WAITING[explanation.reason](explanation)


def _ended(run: Run) -> str:
    if run.phase == "Succeeded":
        return f"nothing to do: it succeeded; `krt logs {run.name}` shows its output"
    if run.phase == "Cancelled":
        return "nothing to do: somebody asked for its end; create it anew if that was a mistake"
    if run.phase == "Timeout" and run.reason == Reason.QUEUE_TIME_LIMIT:
        return "create it anew with a longer queueTimeout, or see with `krt top` who holds the members"
    if run.phase == "Timeout":
        return f"see in `krt logs {run.name}` what took so long, or create it anew with a longer timeout"
    if run.reason in LOSSES:
        return f"find out why members go: kubectl get events,pods -l {RUNTIME_LABEL}={run.runtime}"
    return f"see what its program said: krt logs {run.name}"


def _next_to_go(explanation: Explanation) -> str:
    place = explanation.place
    if place is not None and place.number > 1:
        return f"wait: there is room, and {place.number - 1} Runs go first"
    if explanation.waited < PATIENCE_SECONDS:
        return "wait: there is room, and it is about to be assigned"
    see = "see that the scheduler runs (on one machine: `krt dev status`)"
    return f"there is room, yet nobody assigns it: {see}"


def _no_runtime(explanation: Explanation) -> str:
    create = f"create the Runtime {explanation.run.runtime} with `krt apply -f FILE`"
    return f"{create} (`krt get runtimes` shows those there are), or `krt cancel {explanation.run.name}`"


def _not_ready(explanation: Explanation) -> str:
    runtime = explanation.run.runtime
    look = f"kubectl get pods -l {RUNTIME_LABEL}={runtime}"
    if explanation.verdicts:
        return f"see why no member is ready: {look}"
    return f"its pool is empty: raise spec.replicas of Runtime {runtime} if it is 0, else see {look}"


def _too_large(explanation: Explanation) -> str:
    run = explanation.run
    ready = [verdict for verdict in explanation.verdicts if verdict.passes[0]]
    if all(verdict.member in run.excluded for verdict in ready):
        return "wait: every ready member refused this attempt, and they are asked again a minute later"
    largest = {
        name: max(verdict.capacity.get(name, 0) for verdict in ready) for name in in_order(run.requests)
    }
    over = [name for name, most in largest.items() if run.requests[name] > most]
    less = ", ".join(f"at most {name} {show_amount(name, largest[name])}" for name in over)
    less = less or f"less of {show_amounts(run.requests)}, which no single member has together"
    return f"create it anew asking for {less}; or raise spec.capacity of Runtime {run.runtime}"


def _full(explanation: Explanation) -> str:
    more = f"kubectl scale runtime/{explanation.run.runtime} --replicas=N"
    return f"wait until a member has room, or add members: {more}; `krt top` shows who holds what"


_WAITING: Mapping[Reason, Callable[[Explanation], str]] = {
    Reason.NO_SUCH_RUNTIME: _no_runtime,
    Reason.NO_READY_MEMBER: _not_ready,
    Reason.NEVER_FITS: _too_large,
    Reason.NO_ROOM: _full,
}
