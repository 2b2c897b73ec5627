"""The pure flow of a Run: what is built, asked, and read, with every answer an API server may give."""

import json
from typing import Any, TypeVar

import pytest
from kruntimes import _errors as errors
from kruntimes import _flow as flow
from kruntimes import _spec as spec
from kruntimes._models import Raised, RunOptions
from kruntimes._wire import Flow, Pause, Request, Response, error_of

from tests.unit.sdk.runs import answer, make_run, refusal

T = TypeVar("T")
DELAYS = [0.1, 0.2]
LOST = errors.Unreachable("lost")


def drive(running: Flow[T], *answers: Response | Exception) -> tuple[T, list[Request | Pause]]:
    """Answer the flow's requests in order; gives its value and everything it asked for."""
    left, asked = list(answers), [step := next(running)]
    try:
        while True:
            if isinstance(step, Pause):
                step = running.send(None)
            else:
                given = left.pop(0)
                step = running.throw(given) if isinstance(given, Exception) else running.send(given)
            asked.append(step)
    except StopIteration as end:
        assert not left, "the flow ended before all answers were used"
        return end.value, asked


BUILT: dict[str, tuple[RunOptions, dict[str, Any]]] = {
    "nothing but a runtime": ({}, {}),
    "arguments": ({"args": ["echo hi"]}, {"mode": {"task": {"args": ["echo hi"]}}}),
    "a program": (
        {"source": "echo", "source_path": "a.sh"},
        {"source": {"inline": "echo", "inlinePath": "a.sh"}},
    ),
    "files": (
        {"files": {"a": "x", "b": b"\xff"}},
        {"files": [{"path": "a", "text": "x"}, {"path": "b", "base64": "/w=="}]},
    ),
    "environment": ({"env": {"A": "1"}}, {"env": [{"name": "A", "value": "1"}]}),
    "resources": (
        {"cpu": 0.5, "memory": "1Gi", "resources": {"gpu": 1}},
        {"resources": {"limits": {"cpu": "0.5", "memory": "1Gi", "gpu": "1"}}},
    ),
    "times": ({"timeout": 1.5, "queue_timeout": "2m"}, {"timeout": "1500ms", "queueTimeout": "2m"}),
    "retries": (
        {"max_attempts": 3, "backoff": 2, "retryable_reasons": ["NonZeroExit"]},
        {"retryPolicy": {"maxAttempts": 3, "backoff": "2s", "retryableReasons": ["NonZeroExit"]}},
    ),
    "the rest": (
        {"stdin": "x", "parameters": {"a": 1}, "priority": 0, "ttl": 9, "grace": 4},
        {
            "stdin": "x",
            "parameters": {"a": 1},
            "priority": 0,
            "ttlSecondsAfterFinished": 9,
            "terminationGracePeriodSeconds": 4,
        },
    ),
}


@pytest.mark.parametrize(("options", "want"), BUILT.values(), ids=BUILT)
def test_a_run_is_built(options: RunOptions, want: dict[str, Any]) -> None:
    run = spec.build_run("bash", options, "token")
    assert run["spec"] == {"runtime": "bash", **want}
    assert run["metadata"] == {"name": "bash-token"}


def test_a_named_run_carries_its_token_aside() -> None:
    run = spec.build_run("bash", {"name": "mine", "labels": {"a": "b"}}, "token")
    want = {"name": "mine", "annotations": {spec.SUBMISSION: "token"}, "labels": {"a": "b"}}
    assert run["metadata"] == want


DURATIONS = {2: "2s", 0.25: "250ms", 1.5: "1500ms", 0.00001: "1ms", 0: "0s", "1m": "1m"}


@pytest.mark.parametrize(("value", "want"), DURATIONS.items())
def test_a_duration_is_written(value: str | float, want: str) -> None:
    assert spec.duration(value) == want


RUN = spec.build_run("bash", {}, "token")
CREATED = make_run("bash-token")
THERE = refusal(409, "AlreadyExists", "exists")


def test_a_run_is_created_with_one_request() -> None:
    made, asked = drive(flow.create("default", RUN, "token", DELAYS), answer(CREATED, 201))
    assert made == CREATED
    assert len(asked) == 1


LOST_ANSWERS = {
    "no answer": LOST,
    "a gateway's answer": refusal(504, "Timeout"),
}


@pytest.mark.parametrize("first", LOST_ANSWERS.values(), ids=LOST_ANSWERS)
def test_a_run_whose_answer_was_lost_is_found_again(first: Response | Exception) -> None:
    made, asked = drive(flow.create("default", RUN, "token", DELAYS), first, THERE, answer(CREATED))
    assert made == CREATED
    assert [step.method for step in asked if isinstance(step, Request)] == ["POST", "POST", "GET"]


def test_a_named_run_is_known_by_its_note_and_not_by_its_name() -> None:
    run = spec.build_run("bash", {"name": "mine"}, "token")
    ours, theirs = make_run("mine"), make_run("mine")
    ours["metadata"]["annotations"] = {spec.SUBMISSION: "token"}
    made, _ = drive(flow.create("default", run, "token", DELAYS), LOST, THERE, answer(ours))
    assert made == ours
    with pytest.raises(errors.Conflict):
        drive(flow.create("default", run, "token", DELAYS), LOST, THERE, answer(theirs))


def test_a_name_that_is_taken_is_a_conflict_at_once() -> None:
    with pytest.raises(errors.Conflict):
        drive(flow.create("default", RUN, "token", DELAYS), THERE)


def test_a_server_that_asks_to_come_back_later_is_asked_again() -> None:
    later = answer({}, 429, retry_after=7)
    _, asked = drive(flow.create("default", RUN, "token", DELAYS), later, answer(CREATED, 201))
    assert Pause(7) in asked


def test_patience_ends() -> None:
    with pytest.raises(errors.Unreachable):
        drive(flow.get("default", "r", DELAYS), LOST, LOST, LOST)
    with pytest.raises(errors.ApiError):
        drive(flow.get("default", "r", DELAYS), *[answer({}, 503)] * 3)


def test_a_list_is_read_page_by_page() -> None:
    first = {"metadata": {"continue": "more", "resourceVersion": "9"}, "items": [{"a": 1}]}
    last = {"metadata": {"resourceVersion": "9"}, "items": [{"b": 1}]}
    (found, version), asked = drive(flow.list_all("/path", {}, DELAYS), answer(first), answer(last))
    assert (found, version) == ([{"a": 1}, {"b": 1}], "9")
    assert [dict(step.query).get("continue") for step in asked if isinstance(step, Request)] == [None, "more"]


def test_a_deletion_whose_answer_was_lost_is_no_error() -> None:
    gone = refusal(404, "NotFound")
    assert drive(flow.delete("default", "r", "u", DELAYS), LOST, gone)[0] == {}
    with pytest.raises(errors.NotFound):
        drive(flow.delete("default", "r", "u", DELAYS), gone)


def test_a_deletion_names_the_very_run() -> None:
    _, asked = drive(flow.delete("default", "r", "u", DELAYS), answer({}))
    assert isinstance(asked[0], Request)
    assert json.loads(asked[0].body or b"") == {"preconditions": {"uid": "u"}}


ERRORS = {
    "not there": (refusal(404, "NotFound", "m"), errors.NotFound),
    "not allowed": (refusal(403, "Forbidden", "m"), errors.Forbidden),
    "not known": (refusal(401, "Unauthorized", "m"), errors.Forbidden),
    "taken": (refusal(409, "AlreadyExists", "m"), errors.Conflict),
    "meant for another": (refusal(422, "Invalid", "m", causes=[{"field": "metadata.uid"}]), errors.Conflict),
    "against a rule": (refusal(422, "Invalid", "m"), errors.Refused),
    "too large": (refusal(413, "RequestEntityTooLarge", "m"), errors.Refused),
    "something else": (Response(418, b"a teapot"), errors.ApiError),
}


@pytest.mark.parametrize(("response", "want"), ERRORS.values(), ids=ERRORS)
def test_a_refusal_becomes_its_error(response: Response, want: type[errors.ApiError]) -> None:
    error = error_of(response)
    assert type(error) is want
    assert str(error) in ("m", "a teapot")
    assert error.status == response.status


def test_a_broken_rule_is_told_with_its_field() -> None:
    cause = {"field": "spec.timeout", "message": "must be longer than zero"}
    error = error_of(refusal(422, "Invalid", "whole text", causes=[cause]))
    assert isinstance(error, errors.Refused)
    assert (error.field, error.rule, str(error)) == ("spec.timeout", "must be longer than zero", "whole text")


def test_a_run_is_read() -> None:
    stamps = {"queued": "2026-03-01T00:00:00.000001Z", "stored": "2026-03-01T00:00:01Z", "later": "x"}
    output = {"stdout": {"bytes": 9000, "truncated": True, "tail": "é"}, "stderr": {"tailBase64": "/wA="}}
    found = make_run(
        phase="Succeeded",
        exitCode=0,
        attempt=2,
        timings=stamps,
        outputs={"k": "v"},
        output=output,
        assignedPod="p",
    )
    run = flow.read_run(found)
    assert (run.phase, run.attempt, run.pod, run.created) == ("Succeeded", 2, "p", None)
    assert run.result is not None
    assert run.result.stdout == "é".encode()
    assert (run.result.stdout.size, run.result.stdout.truncated) == (9000, True)
    assert (run.result.stderr, run.result.stderr.size) == (b"\xff\x00", 2)
    assert run.result.outputs == {"k": "v"}
    total = run.result.timings.total
    assert total is not None
    assert total.total_seconds() == pytest.approx(0.999999)


VALUES: dict[str, tuple[dict[str, Any], bool, Any]] = {
    "none": ({}, False, None),
    "null": ({"result": "null"}, True, None),
    "a number no float holds": ({"result": "9007199254740993"}, True, 9007199254740993),
    "an object with nulls": ({"result": '{"a": null}'}, True, {"a": None}),
}


@pytest.mark.parametrize(("status", "there", "value"), VALUES.values(), ids=VALUES)
def test_a_value_is_read_as_it_was_left(status: dict[str, Any], there: bool, value: Any) -> None:
    result = flow.read_run(make_run(phase="Succeeded", **status)).result
    assert result is not None
    assert (result.has_value, result.value, result.exception) == (there, value, None)


def test_an_exception_is_read_with_its_message_and_trace() -> None:
    raised = {"type": "ValueError", "trace": "Traceback"}
    result = flow.read_run(make_run(phase="Failed", message="no", exception=raised)).result
    assert result is not None
    assert result.exception == Raised("ValueError", "no", "Traceback")


def test_a_run_under_way_has_no_result() -> None:
    assert flow.read_run(make_run(phase="Running")).result is None
    assert flow.read_run({**make_run(), "status": None}).phase == "Pending"


ENDS: dict[str, tuple[dict[str, Any], type[errors.RunError] | None, str]] = {
    "well": ({"phase": "Succeeded"}, None, "succeeded"),
    "with a code": (
        {"phase": "Failed", "exitCode": 7, "reason": "NonZeroExit"},
        errors.RunFailed,
        "failed with exit code 7 (NonZeroExit)",
    ),
    "by a signal": (
        {"phase": "Failed", "signal": 9, "reason": "KilledBySignal"},
        errors.RunFailed,
        "failed by signal 9 (KilledBySignal)",
    ),
    "by an exception": (
        {
            "phase": "Failed",
            "exitCode": 1,
            "reason": "UncaughtException",
            "message": "no",
            "exception": {"type": "ValueError"},
        },
        errors.TaskFailed,
        "failed with exit code 1 (UncaughtException: ValueError: no)",
    ),
    "late": (
        {"phase": "Timeout", "signal": 15, "reason": "TimeLimit"},
        errors.RunTimeout,
        "ran out of time (TimeLimit)",
    ),
    "cancelled": ({"phase": "Cancelled"}, errors.RunCancelled, "was cancelled"),
    "lost": (
        {"phase": "Failed", "reason": "MemberLost", "message": "three times"},
        errors.RunLost,
        "failed (MemberLost: three times)",
    ),
}


@pytest.mark.parametrize(("status", "kind", "words"), ENDS.values(), ids=ENDS)
def test_an_end_has_its_error_and_its_words(
    status: dict[str, Any], kind: type[errors.RunError] | None, words: str
) -> None:
    result = flow.read_run(make_run(**status)).result
    assert result is not None
    error = flow.error_for(result)
    assert isinstance(error, kind or type(None))
    assert flow.describe(result) == words
    assert error is None or error.result is result


def test_an_option_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="'timout'"):
        spec.build_run("bash", {"timout": 5}, "token")  # type: ignore[typeddict-unknown-key]
