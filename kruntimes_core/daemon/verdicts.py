"""What the daemon makes of a status code that answers StartRun: the protocol's table; it does none of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from kruntimes_core.daemon.instructions import Refused
from kruntimes_core.daemon.server import Code
from kruntimes_core.model.reasons import Reason, from_wire


class Verdict(Enum):
    """What to do next."""

    # The Run fails, no retry.
    FAIL = auto()
    # Back to the scheduler, and not to this member again.
    ELSEWHERE = auto()
    # Back to the scheduler, same attempt: it was definitely not started.
    HAND_BACK = auto()
    # An older attempt is still there: stop it, then repeat.
    STOP_OLDER = auto()
    # Shake hands, read the Run object again, look, then decide as after a restart.
    LOOK = auto()
    # Most likely full, but that was not said: repeat, and settle it after a few tries.
    UNCLEAR = auto()
    # Nobody knows: repeat the same call.
    REPEAT = auto()


_BY_CODE: Mapping[Code, Verdict] = {
    Code.INVALID_ARGUMENT: Verdict.FAIL,
    Code.UNIMPLEMENTED: Verdict.FAIL,
    Code.ALREADY_EXISTS: Verdict.FAIL,
    Code.OUT_OF_RANGE: Verdict.ELSEWHERE,
    Code.FAILED_PRECONDITION: Verdict.STOP_OLDER,
    Code.ABORTED: Verdict.LOOK,
    Code.RESOURCE_EXHAUSTED: Verdict.UNCLEAR,
    Code.UNAVAILABLE: Verdict.UNCLEAR,
}
_DEFINITE = frozenset({"SERVER_FULL", "DRAINING", "NOT_READY"})
_WITHOUT_REASON: Mapping[Code, Reason] = {
    Code.INVALID_ARGUMENT: Reason.SPEC_INVALID,
    Code.UNIMPLEMENTED: Reason.NOT_SUPPORTED,
    Code.ALREADY_EXISTS: Reason.SPEC_MISMATCH,
    Code.OUT_OF_RANGE: Reason.EXCEEDS_TOTAL,
}


def judge_start(refused: Refused) -> Verdict:
    """Return what follows from a StartRun that was not answered OK."""
    verdict = _BY_CODE.get(refused.code, Verdict.REPEAT)
    if verdict is Verdict.UNCLEAR and refused.reason in _DEFINITE:
        return Verdict.HAND_BACK
    return verdict


def reason_of(refused: Refused) -> Reason:
    """Return the word a Run's status gets for a refusal."""
    return from_wire(refused.reason, _WITHOUT_REASON.get(refused.code, Reason.SERVER_ERROR))
