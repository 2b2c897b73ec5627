"""The way of a Run as its user sees it: built, created, read, ended. Pure: one flow for any driver."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kruntimes._errors import (
    Forbidden,
    KruntimesError,
    NotFound,
    RunCancelled,
    RunError,
    RunFailed,
    RunLost,
    RunTimeout,
    Unreachable,
    task_failed,
)
from kruntimes._models import Output, Raised, Reference, Result, Run, Timings
from kruntimes._spec import CLIENT_LABEL, is_submission
from kruntimes._wire import MERGE_PATCH, Flow, Pause, Request, Response, accepted, to_json

GROUP = "/apis/kruntimes.io/v1alpha1"
TERMINAL = frozenset({"Succeeded", "Failed", "Timeout", "Cancelled"})
PAGE = "500"
# The server is there and asks to come back later, or a part of it is not there yet.
LATER = frozenset({429, 500, 502, 503, 504})

Object = Mapping[str, Any]


def own(mark: str) -> Mapping[str, str]:
    """Return the selector of the watch that follows all Runs of one client."""
    return {"labelSelector": f"{CLIENT_LABEL}={mark}"}


def only(name: str) -> Mapping[str, str]:
    """Return the selector of the watch that follows one Run."""
    return {"fieldSelector": f"metadata.name={name}"}


def choose(runtime: str, phase: str, selector: str) -> dict[str, str]:
    """Return the query of a list of Runs."""
    wanted = {"spec.runtime": runtime, "status.phase": phase}
    fields = ",".join(f"{path}={value}" for path, value in wanted.items() if value)
    return {key: text for key, text in (("fieldSelector", fields), ("labelSelector", selector)) if text}


def delays(patience: float) -> list[float]:
    """Return the pauses between tries, doubling, that add up to about `patience` seconds."""
    found: list[float] = []
    pause = 0.1
    while sum(found) + pause <= patience:
        found.append(pause)
        pause = min(pause * 2, 2.0)
    return found


def refuse_closed(closed: bool) -> None:
    """Refuse to work for a client that was closed."""
    if closed:
        raise KruntimesError(
            "this client was closed, with close() or at the end of its block: make another one"
        )


def runs_path(namespace: str, name: str = "") -> str:
    """Return the path of the Runs of a namespace, or of one of them."""
    path = f"{GROUP}/namespaces/{quote(namespace, safe='')}/runs"
    return f"{path}/{quote(name, safe='')}" if name else path


def create(namespace: str, run: Object, token: str, delays: Sequence[float]) -> Flow[Object]:
    """Create a Run exactly once: when an answer was lost, what it made is found again by its token."""
    request = Request("POST", runs_path(namespace), body=to_json(run))
    response, doubtful = yield from _persist(request, delays)
    if response.status == 409 and doubtful:
        found = yield from get(namespace, run["metadata"]["name"], delays)
        if is_submission(found, token):
            return found
    return accepted(response)


def ask(request: Request, delays: Sequence[float]) -> Flow[Object]:
    """Ask what may be asked again without harm, until there is an answer."""
    response, _ = yield from _persist(request, delays)
    return accepted(response)


def _persist(request: Request, delays: Sequence[float]) -> Flow[tuple[Response, bool]]:
    """Ask until there is an answer; says with it whether an earlier try may have been carried out."""
    doubtful = False
    for delay in [*delays, None]:
        try:
            response = _given((yield request))
        except Unreachable:
            if delay is None:
                raise
            doubtful = True
            yield Pause(delay)
            continue
        if response.status not in LATER or delay is None:
            return response, doubtful
        # Only these two say that nothing was done.
        doubtful = doubtful or response.status not in (429, 503)
        yield Pause(response.retry_after or delay)
    raise AssertionError("the last round returns or raises")


def get(namespace: str, name: str, delays: Sequence[float], uid: str = "") -> Flow[Object]:
    """Read one Run; with `uid`, only if it still is that one."""
    found = yield from ask(Request("GET", runs_path(namespace, name)), delays)
    if uid not in ("", found["metadata"]["uid"]):
        raise NotFound(
            f"the Run {name} that was meant is gone; another one has its name now", 404, "NotFound"
        )
    return found


def check_runtime(namespace: str, name: str, delays: Sequence[float]) -> Flow[None]:
    """See that there is such a Runtime: a Run of one that is not there would wait for ever."""
    path = f"{GROUP}/namespaces/{quote(namespace, safe='')}/runtimes"
    try:
        yield from ask(Request("GET", f"{path}/{quote(name, safe='')}"), delays)
    except Forbidden:
        return  # who may not look may still submit
    except NotFound:
        found, _ = yield from list_all(path, {}, delays)
        names = ", ".join(sorted(item["metadata"]["name"] for item in found)) or "none"
        raise NotFound(
            f"there is no Runtime {name!r} in namespace {namespace!r}; it has: {names}", 404, "NotFound"
        ) from None


def list_all(path: str, query: Mapping[str, str], delays: Sequence[float]) -> Flow[tuple[list[Object], str]]:
    """Read a whole collection page by page; returns its objects and its resourceVersion."""
    found: list[Object] = []
    more = ""
    while True:
        page = {**query, "limit": PAGE} | ({"continue": more} if more else {})
        answer = yield from ask(Request("GET", path, page), delays)
        found.extend(answer.get("items") or ())
        more = answer["metadata"].get("continue") or ""
        if not more:
            return found, str(answer["metadata"].get("resourceVersion") or "")


def cancel(namespace: str, name: str, uid: str, delays: Sequence[float]) -> Flow[Object]:
    """Ask for the end of a Run; asking twice is no error. With `uid`, only if it still is that one."""
    wish: dict[str, Any] = {"spec": {"cancelRequested": True}}
    body = to_json(wish | ({"metadata": {"uid": uid}} if uid else {}))
    return (yield from ask(Request("PATCH", runs_path(namespace, name), {}, body, MERGE_PATCH), delays))


def delete(namespace: str, name: str, uid: str, delays: Sequence[float]) -> Flow[Object]:
    """Delete a Run; with `uid`, only if it still is that one."""
    body = to_json({"preconditions": {"uid": uid}} if uid else {})
    response, doubtful = yield from _persist(Request("DELETE", runs_path(namespace, name), {}, body), delays)
    # After a lost answer, its absence is what was asked for.
    return {} if response.status == 404 and doubtful else accepted(response)


def read_run(found: Object) -> Run:
    """Return a Run object as a value."""
    metadata, status = found["metadata"], found.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    return Run(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        runtime=found["spec"]["runtime"],
        phase=phase,
        attempt=int(status.get("attempt") or 0),
        pod=str(status.get("assignedPod") or ""),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        created=_time(metadata.get("creationTimestamp")),
        result=_read_result(metadata["name"], phase, status) if phase in TERMINAL else None,
        object=found,
    )


def reference(found: Object) -> Reference:
    """Return what is enough to find a Run again, and no other of its name."""
    metadata = found["metadata"]
    return {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def waits_for(found: Object) -> str:
    """Return what is known of a Run that has not ended, as the end of a sentence."""
    status = found.get("status") or {}
    why = ": ".join(part for part in (status.get("reason"), status.get("message")) if part)
    return f" (it is {status.get('phase') or 'Pending'}{f', {why}' if why else ''})"


def ended(found: Object) -> bool:
    """Tell whether a Run object is in a terminal phase."""
    return (found.get("status") or {}).get("phase") in TERMINAL


def result_of(run: Run, *, check: bool) -> Result:
    """Return the result of a Run that has ended; raises the error it stands for if `check`."""
    if run.result is None:
        raise AssertionError("a Run that has ended has a result")
    error = error_for(run.result) if check else None
    if error is not None:
        raise error
    return run.result


def error_for(result: Result) -> RunError | None:
    """Return the error a result stands for, None when it is a good one."""
    if result.succeeded:
        return None
    message = f"Run {result.name}: {describe(result)}"
    if result.exception is not None and result.phase == "Failed":
        return task_failed(f"{message}\n\n{result.exception.trace}".strip(), result)
    kinds: dict[str, type[RunError]] = {"Timeout": RunTimeout, "Cancelled": RunCancelled}
    kind = RunLost if result.reason == "MemberLost" else kinds.get(result.phase, RunFailed)
    return kind(message, result)


def task_value(result: Result) -> Any:
    """Return the value of a task that ended well."""
    if not result.has_value:
        raise RunFailed(
            f"Run {result.name}: ended without a value: the task left early, as by sys.exit, or its Runtime "
            "is not one of the server `python`",
            result,
        )
    return result.value


def describe(result: Result) -> str:
    """Return in a few words how a Run ended."""
    if result.succeeded:
        return "succeeded"
    how = {"Timeout": "ran out of time", "Cancelled": "was cancelled"}.get(result.phase, "failed")
    if result.phase != "Failed":
        pass  # how the program was ended then is no news
    elif result.signal:
        how += f" by signal {result.signal}"
    elif result.exit_code:
        how += f" with exit code {result.exit_code}"
    raised = result.exception.type if result.exception else ""
    detail = ": ".join(part for part in (result.reason, raised, result.message) if part)
    return f"{how} ({detail})" if detail else how


def _read_result(name: str, phase: str, status: Object) -> Result:
    output = status.get("output") or {}
    return Result(
        name=name,
        phase=phase,
        exit_code=status.get("exitCode"),
        signal=status.get("signal"),
        stdout=_read_output(output.get("stdout") or {}),
        stderr=_read_output(output.get("stderr") or {}),
        outputs=dict(status.get("outputs") or {}),
        timings=_read_timings(status.get("timings") or {}),
        attempt=int(status.get("attempt") or 0),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        value_json=status.get("result"),
        exception=_read_exception(status),
    )


def _read_exception(status: Object) -> Raised | None:
    raised = status.get("exception")
    if raised is None:
        return None
    return Raised(raised.get("type") or "", status.get("message") or "", raised.get("trace") or "")


def _read_timings(timings: Object) -> Timings:
    known = {field.name for field in fields(Timings)}
    return Timings(**{key: _time(value) for key, value in timings.items() if key in known})


def _read_output(channel: Object) -> Output:
    coded = channel.get("tailBase64")
    data = base64.b64decode(coded) if coded else str(channel.get("tail") or "").encode()
    return Output(data, int(channel.get("bytes") or len(data)), bool(channel.get("truncated")))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _given(response: Response | None) -> Response:
    if response is None:
        raise AssertionError("a request is answered by a response")
    return response
