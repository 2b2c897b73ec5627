"""Objects as the API writes them, and what our events make of them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kruntimes_core.kube.codec import (
    decode_member,
    decode_run,
    decode_run_with_spec,
    decode_runtime,
    spec_digest,
)
from kruntimes_core.kube.status import status_after
from kruntimes_core.kube.writes import lease_object
from kruntimes_core.model.ending import Channel, Ending, Raised
from kruntimes_core.model.events import (
    Assigned,
    Cancelled,
    Delivered,
    Event,
    Failed,
    HandedBack,
    Held,
    Requeued,
    Started,
    Succeeded,
    TimedOut,
)
from kruntimes_core.model.identity import Assignment
from kruntimes_core.model.run import RetryPolicy, TransitionRefused, apply
from kruntimes_core.model.runtime import AcceptState, Member

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=3)

RUN: dict[str, Any] = {
    "apiVersion": "kruntimes.io/v1alpha1",
    "kind": "Run",
    "metadata": {
        "name": "r",
        "namespace": "team",
        "uid": "u1",
        "resourceVersion": "42",
        "creationTimestamp": "2026-03-01T11:59:00Z",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "..."},
    },
    "spec": {
        "runtime": "bash",
        "source": {"inline": "echo hi"},
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": 1, "memory": "64Mi"}},
        "timeout": "1.5s",
        "queueTimeout": "2m30s",
        "terminationGracePeriodSeconds": 5,
        "retryPolicy": {"maxAttempts": 3, "backoff": "500ms", "retryableReasons": ["NonZeroExit"]},
        "priority": 7,
        "ttlSecondsAfterFinished": 3600,
    },
    "status": {"phase": "Pending"},
}
SCHEDULED: dict[str, Any] = RUN | {
    "status": {
        "phase": "Scheduled",
        "attempt": 2,
        "losses": 1,
        "assignedPod": "pod-a",
        "assignedPodUID": "pod-uid",
        "assignedInstance": "i1",
        "excludedPods": ["pod-b"],
        "reason": "",
        "timings": {"queued": "2026-03-01T12:00:00.000001Z", "assigned": "2026-03-01T12:00:00.5Z"},
    }
}
RUNNING: dict[str, Any] = SCHEDULED | {
    "status": SCHEDULED["status"]
    | {
        "phase": "Running",
        "startTime": "2026-03-01T12:00:00.700000Z",
        "timings": SCHEDULED["status"]["timings"] | {"started": "2026-03-01T12:00:00.700000Z"},
    }
}


def encode(item: Any) -> bytes:
    return json.dumps(item).encode()


def test_a_run_is_read_in_base_units() -> None:
    run = decode_run(encode(RUN))
    assert (run.namespace, run.name, run.uid, run.version, run.runtime) == ("team", "r", "u1", "42", "bash")
    assert run.requests == {"runs": 1, "cpu": 500, "memory": 64 << 20}
    assert run.limits == {"cpu": 1000, "memory": 64 << 20}
    assert (run.timeout, run.queue_timeout, run.grace, run.priority) == (1.5, 150.0, 5.0, 7)
    assert run.retry == RetryPolicy(3, 0.5, frozenset({"NonZeroExit"}))
    assert run.spec == {}


def test_a_daemon_reads_the_whole_spec() -> None:
    assert decode_run_with_spec(encode(RUN)).spec == RUN["spec"]


def test_a_run_that_was_just_created_is_pending() -> None:
    bare = {"metadata": RUN["metadata"], "spec": {"runtime": "bash"}}
    run = decode_run(encode(bare))
    assert (run.phase, run.attempt, run.assignment, run.requests) == ("Pending", 0, None, {"runs": 1})


def test_an_amount_beyond_counting_fits_nowhere_but_is_read() -> None:
    spec = RUN["spec"] | {"resources": {"requests": {"memory": "1e60"}}}
    assert decode_run(encode(RUN | {"spec": spec})).requests["memory"] == 2**63 - 1


EVENTS: dict[str, tuple[dict[str, Any], Event]] = {
    "held": (RUN, Held("NoRoom", "no member has room")),
    "assigned": (RUN, Assigned(Assignment("pod-a", "pod-uid", "i1"), NOW)),
    "delivered": (SCHEDULED, Delivered(NOW)),
    "started": (SCHEDULED, Started(LATER, NOW)),
    "handed back": (SCHEDULED, HandedBack("ServerFull", "no slot", NOW, LATER, ("pod-b", "pod-a"))),
    "requeued": (RUNNING, Requeued(3, 2, "MemberLost", "pod-a is lost", NOW, LATER, ())),
    "failed while pending": (RUN, Failed(Ending("NeverFits", "too large", ended=NOW))),
    "timed out": (RUNNING, TimedOut(Ending("TimeLimit", "over 1.5 s", signal=15, ended=NOW))),
    "cancelled": (SCHEDULED, Cancelled(Ending("Cancelled", "as asked", ended=NOW))),
    "succeeded": (RUNNING, Succeeded(Ending(exit_code=0, ended=NOW))),
}


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_written_reads_back_as_the_model_says(name: str) -> None:
    stored, event = EVENTS[name]
    before = decode_run(encode(stored))
    after = decode_run(encode(merge(stored, {"status": status_after(before, event, NOW)})))
    assert after == apply(before, event)


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch, as RFC 7396 gives it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def test_nothing_of_a_lost_attempt_stays() -> None:
    run = decode_run(encode(RUNNING))
    event = Requeued(3, 2, "MemberLost", "pod-a is lost", NOW, None, ())
    status = merge(RUNNING, {"status": status_after(run, event, NOW)})["status"]
    assert status == {
        "phase": "Pending",
        "attempt": 3,
        "losses": 2,
        "reason": "MemberLost",
        "message": "pod-a is lost",
        "timings": {"queued": "2026-03-01T12:00:00.123456Z"},
    }


def test_an_end_is_written_with_all_that_was_measured() -> None:
    ending = Ending(
        reason="NonZeroExit",
        message="x" * 5000,
        exit_code=7,
        result="null",
        exception=Raised("E" * 300, "a" * 8192 + "the end"),
        outputs={"KEY": "value"},
        output={"stdout": Channel(3, False, b"hi\n"), "stderr": Channel(2, True, b"\xff\x00")},
        started=NOW,
        ended=LATER,
    )
    status = status_after(decode_run(encode(SCHEDULED)), Failed(ending), LATER)
    assert status["exitCode"] == 7
    assert len(status["message"]) == 4096
    assert status["result"] == "null"
    assert status["exception"] == {"type": "E" * 256, "trace": "a" * 8185 + "the end"}
    assert status["outputs"] == {"KEY": "value"}
    assert status["output"] == {
        "stdout": {"bytes": 3, "truncated": False, "tail": "hi\n"},
        "stderr": {"bytes": 2, "truncated": True, "tailBase64": base64.b64encode(b"\xff\x00").decode()},
    }
    assert (status["startTime"], status["completionTime"]) == (
        "2026-03-01T12:00:00.123456Z",
        "2026-03-01T12:00:03.123456Z",
    )
    assert "signal" not in status


def test_what_a_program_did_not_leave_is_not_written() -> None:
    status = status_after(decode_run(encode(SCHEDULED)), Succeeded(Ending(exit_code=0)), NOW)
    assert status.keys().isdisjoint({"result", "exception", "outputs", "output"})


def test_a_tail_that_begins_inside_a_character_is_still_text() -> None:
    text = "é" * 10
    ending = Ending(output={"stdout": Channel(20, False, text.encode()[-5:])})
    status = status_after(decode_run(encode(SCHEDULED)), Succeeded(ending), NOW)
    assert status["output"]["stdout"]["tail"] == "éé"


def test_a_terminal_run_takes_no_event() -> None:
    ended = decode_run(encode(RUN | {"status": {"phase": "Succeeded"}}))
    with pytest.raises(TransitionRefused, match="Succeeded"):
        status_after(ended, Requeued(2, 1, "MemberLost", "", NOW, None, ()), NOW)


def test_a_member_reads_back_from_its_lease() -> None:
    member = Member(
        "team",
        "pod-a",
        "bash",
        "9",
        "pod-uid",
        "i1",
        AcceptState.ACCEPTING,
        {"runs": 4, "cpu": 2000},
        NOW,
        15.0,
    )
    lease = lease_object(member, NOW)
    lease["metadata"]["resourceVersion"] = "9"
    assert decode_member(encode(lease)) == member


def test_a_lease_without_announcement_is_a_member_that_is_not_ready() -> None:
    lease = {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "resourceVersion": "1",
            "labels": {"kruntimes.io/runtime": "x"},
        },
        "spec": {"holderIdentity": "uid"},
    }
    member = decode_member(encode(lease))
    assert (member.accept_state, member.instance, member.pod_uid) == (AcceptState.NOT_READY, "", "uid")


def test_a_runtime_is_read() -> None:
    item = {"metadata": {"name": "bash", "namespace": "n", "uid": "u", "resourceVersion": "5"}, "spec": {}}
    assert decode_runtime(encode(item)).version == "5"


def test_the_digest_covers_what_is_executed_and_nothing_else() -> None:
    spec = RUN["spec"]
    digest = spec_digest(spec)
    assert digest == spec_digest(dict(reversed(spec.items())))
    assert digest == spec_digest(
        spec | {"cancelRequested": True, "priority": 9, "ttlSecondsAfterFinished": 1}
    )
    assert digest != spec_digest(spec | {"timeout": "2s"})
