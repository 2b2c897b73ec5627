"""What a Run asks for reaches the runtime server unchanged, and its name changes with its inputs alone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kruntimes_core.model.run import Run
from kruntimes_core.rpc.requests import (
    BadSpec,
    list_files,
    name_fields_as_written,
    name_workspace,
    start_request,
)

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def run(spec: Mapping[str, Any]) -> Run:
    return Run("default", "r", "u-1", "5", "bash", CREATED, attempt=2, spec=spec)


def test_everything_a_run_asks_for_is_sent() -> None:
    asked = replace(
        run(
            {
                "mode": {"task": {"entrypoint": "main", "args": ["a", ""]}},
                "source": {"inline": "echo hi", "inlinePath": "bin/run.sh"},
                "env": [{"name": "A", "value": "1"}, {"name": "B"}],
                "stdin": "né",
                "parameters": {"n": 9007199254740993, "deep": [1]},
            }
        ),
        requests={"cpu": 500, "runs": 1},
        limits={"memory": 1 << 30},
        timeout=1.5,
        queue_timeout=3.0,
        grace=0.0,
        priority=-3,
    )

    request = start_request(asked, "sha256:d", "/w/u-1-2", "instance", CREATED + timedelta(seconds=2.75))

    spec = request.spec
    assert request.spec_digest == "sha256:d"
    assert (request.key.run_uid, request.key.attempt, request.expected_instance_id) == ("u-1", 2, "instance")
    assert (spec.namespace, spec.name, spec.workspace.path) == ("default", "r", "/w/u-1-2")
    assert (spec.task.entrypoint, list(spec.task.args)) == ("main", ["a", ""])
    assert spec.source.workspace_path == "bin/run.sh"
    assert dict(spec.env) == {"A": "1", "B": ""}
    assert dict(spec.resources.requests) == {"cpu": 500, "runs": 1}
    assert dict(spec.resources.limits) == {"memory": 1 << 30}
    assert spec.execution_timeout.ToMilliseconds() == 1500
    assert spec.queue_timeout.ToMilliseconds() == 250
    assert spec.HasField("termination_grace")
    assert spec.termination_grace.ToNanoseconds() == 0
    assert (spec.stdin, spec.priority) == ("né".encode(), -3)
    assert spec.parameters_json == '{"n":9007199254740993,"deep":[1]}'


def test_a_run_that_asks_for_nothing_names_nothing() -> None:
    spec = start_request(run({"runtime": "bash"}), "", "/w", "i", CREATED).spec

    assert spec.WhichOneof("workload") == "task"
    assert [spec.HasField(name) for name in ("source", "execution_timeout", "queue_timeout")] == [False] * 3
    assert not spec.HasField("termination_grace")
    assert (spec.stdin, spec.parameters_json) == (b"", "")


def test_a_queue_time_that_is_over_is_still_a_limit() -> None:
    late = replace(run({}), queue_timeout=1.0, queued=CREATED + timedelta(seconds=9))

    spec = start_request(late, "", "/w", "i", CREATED + timedelta(seconds=60)).spec

    assert spec.queue_timeout.ToMilliseconds() == 1


def test_source_and_files_are_listed_as_bytes() -> None:
    spec = {
        "source": {"inline": "né"},
        "files": [{"path": "a", "text": "t"}, {"path": "b/c", "base64": "/wA="}, {"path": "d", "text": ""}],
    }

    files = list(list_files(spec))

    assert files == [("source", "né".encode()), ("a", b"t"), ("b/c", b"\xff\0"), ("d", b"")]


def test_bad_base64_names_the_file() -> None:
    with pytest.raises(BadSpec, match="'b/c' is not base64"):
        list(list_files({"files": [{"path": "b/c", "base64": "a"}]}))


def test_each_try_has_a_directory_of_its_own() -> None:
    assert name_workspace(run({}).key) == "u-1-2"


COMPLAINTS = {
    "a field of another name": ("spec.task has nothing to run", "spec.mode.task has nothing to run"),
    "a part of one": ("spec.task.args are long", "spec.mode.task.args are long"),
    "several": ("spec.task.args and spec.env are long", "spec.mode.task.args and spec.env are long"),
    "a time limit": ("spec.execution_timeout is zero", "spec.timeout is zero"),
    "what only begins alike": (
        "spec.tasks, myspec.task, a.spec.task",
        "spec.tasks, myspec.task, a.spec.task",
    ),
    "none": ("no room", "no room"),
}


@pytest.mark.parametrize(("said", "want"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_a_complaint_names_the_fields_as_they_were_written(said: str, want: str) -> None:
    assert name_fields_as_written(said) == want
