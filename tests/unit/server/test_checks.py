"""What a spec is refused for, and what it is promised."""

from collections.abc import Callable

import pytest
from kruntimes.runtime.v1 import types_pb2 as pb
from kruntimes.runtime.v1.capabilities_pb2 import (
    SOURCE_KIND_INLINE,
    SOURCE_KIND_URI,
    SOURCE_KIND_WORKSPACE,
    Capabilities,
    IsolationCapability,
    SchedulingCapability,
    WorkloadCapability,
)
from kruntimes.server import Description, Refusal
from kruntimes.server.bounds import Bounds, fit, fit_end
from kruntimes.server.checks import SpecChecks

SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false}'
DIGEST = "sha256:" + "0" * 64


def make_checks(*, plain: bool = False) -> SpecChecks:
    """Checks of a server that can do nearly everything, or of one that runs tasks and nothing else."""
    resources = [pb.ResourceDescriptor(name=name) for name in ("runs", "cpu")]
    workload = WorkloadCapability(task=True)
    if not plain:
        workload = WorkloadCapability(
            task=True,
            stdin=True,
            secrets=True,
            attachments=True,
            sources=[SOURCE_KIND_INLINE, SOURCE_KIND_WORKSPACE, SOURCE_KIND_URI],
            uri_schemes=["https"],
        )
    can = Capabilities(
        scheduling=SchedulingCapability(resources=resources),
        workload=workload,
        isolation=IsolationCapability(levels=["basic"]),
    )
    schema = "" if plain else SCHEMA
    return SpecChecks(Description("x", "1", can, {"runs": 1}, parameters_schema=schema), Bounds())


def make_spec(**fields: object) -> pb.RunSpec:
    spec = pb.RunSpec(namespace="n", name="r", task=pb.TaskWorkload(entrypoint="main"))
    spec.MergeFrom(pb.RunSpec(**fields))  # type: ignore[arg-type]
    return spec


def inline(data: bytes = b"x") -> pb.Payload:
    return pb.Payload(inline=data)


def attachment(**fields: object) -> pb.Attachment:
    return pb.Attachment(**{"name": "a", "path": "a", "content": inline(), **fields})  # type: ignore[arg-type]


def duration(seconds: int) -> dict[str, int]:
    return {"seconds": seconds}


SOUND: dict[str, pb.RunSpec] = {
    "least": make_spec(),
    "long arguments": make_spec(task=pb.TaskWorkload(entrypoint="m", args=["x" * 100_000])),
    "long names": make_spec(namespace="n" * 255, name="r" * 255),
    "inline source": make_spec(source=pb.Source(inline=inline(), inline_path="a/b.sh")),
    "workspace": make_spec(workspace=pb.Workspace(path="/w/1"), source=pb.Source(workspace_path="a..b/c")),
    "uri": make_spec(source=pb.Source(uri="https://x/y", digest=DIGEST)),
    "parameters": make_spec(parameters_json='{"n": 3}'),
    "secrets": make_spec(env={"A": "1"}, secret_env={"B": "2"}),
    "attachment": make_spec(attachments=[attachment(secret=True)]),
    "isolation": make_spec(isolation="basic"),
    "no grace at all": make_spec(termination_grace=duration(0)),
}


@pytest.mark.parametrize("spec", SOUND.values(), ids=SOUND)
def test_a_sound_spec_is_taken(spec: pb.RunSpec) -> None:
    make_checks().terms(spec, DIGEST)


UNSOUND: dict[str, tuple[pb.RunSpec, str, str]] = {
    "no workload": (pb.RunSpec(name="r"), "INVALID_ARGUMENT", "spec.task"),
    "long name": (make_spec(name="r" * 257), "INVALID_ARGUMENT", "spec.name"),
    "many labels": (make_spec(labels={"a": "x" * 9000}), "INVALID_ARGUMENT", "spec.labels"),
    "NUL in an argument": (make_spec(task=pb.TaskWorkload(args=["a\0"])), "INVALID_ARGUMENT", "NUL"),
    "one long string": (make_spec(env={"A": "x" * 131_072}), "INVALID_ARGUMENT", "131072"),
    "long strings together": (
        make_spec(env={"A": "x" * 70_000, "B": "x" * 70_000}),
        "INVALID_ARGUMENT",
        "together",
    ),
    "empty variable name": (make_spec(env={"": "x"}), "INVALID_ARGUMENT", "spec.env"),
    "variable name with =": (make_spec(env={"a=b": "x"}), "INVALID_ARGUMENT", "spec.env"),
    "name in both": (make_spec(env={"A": "x"}, secret_env={"A": "y"}), "INVALID_ARGUMENT", "secret_env"),
    "long stdin": (make_spec(stdin=b"x" * 65_537), "INVALID_ARGUMENT", "spec.stdin"),
    "source without origin": (make_spec(source=pb.Source()), "INVALID_ARGUMENT", "origin"),
    "large source": (
        make_spec(source=pb.Source(inline=inline(b"x" * 262_145))),
        "INVALID_ARGUMENT",
        "inline",
    ),
    "bad digest": (
        make_spec(source=pb.Source(inline=inline(), digest="md5:1")),
        "INVALID_ARGUMENT",
        "digest",
    ),
    "absolute inline path": (
        make_spec(source=pb.Source(inline=inline(), inline_path="/etc/x")),
        "INVALID_ARGUMENT",
        "inline_path",
    ),
    "source path escapes": (
        make_spec(source=pb.Source(workspace_path="a/../../x")),
        "INVALID_ARGUMENT",
        "workspace_path",
    ),
    "long path": (make_spec(source=pb.Source(workspace_path="x" * 4097)), "INVALID_ARGUMENT", "4096"),
    "other scheme": (make_spec(source=pb.Source(uri="s3://x")), "UNIMPLEMENTED", "s3"),
    "attachment twice": (make_spec(attachments=[attachment(), attachment()]), "INVALID_ARGUMENT", "once"),
    "attachment escapes": (make_spec(attachments=[attachment(path="../x")]), "INVALID_ARGUMENT", "'..'"),
    "relative workspace": (make_spec(workspace=pb.Workspace(path="w")), "INVALID_ARGUMENT", "workspace"),
    "unknown resource": (
        make_spec(resources=pb.Resources(requests={"gpu": 1})),
        "INVALID_ARGUMENT",
        "gpu",
    ),
    "unknown limit": (make_spec(resources=pb.Resources(limits={"gpu": 1})), "INVALID_ARGUMENT", "gpu"),
    "negative amount": (
        make_spec(resources=pb.Resources(requests={"cpu": -1})),
        "INVALID_ARGUMENT",
        "negative",
    ),
    "limit below request": (
        make_spec(resources=pb.Resources(requests={"cpu": 2}, limits={"cpu": 1})),
        "INVALID_ARGUMENT",
        "less than the request",
    ),
    "zero limit": (make_spec(execution_timeout=duration(0)), "INVALID_ARGUMENT", "execution_timeout"),
    "negative limit": (make_spec(queue_timeout=duration(-1)), "INVALID_ARGUMENT", "queue_timeout"),
    "negative grace": (make_spec(termination_grace=duration(-1)), "INVALID_ARGUMENT", "termination_grace"),
    "negative output bound": (
        make_spec(output_policy=pb.OutputPolicy(max_bytes=-1)),
        "INVALID_ARGUMENT",
        "output_policy",
    ),
    "parameters are no JSON": (make_spec(parameters_json="{"), "INVALID_ARGUMENT", "not JSON"),
    "parameters are no object": (make_spec(parameters_json="[1]"), "INVALID_ARGUMENT", "JSON object"),
    "parameters break the schema": (make_spec(parameters_json='{"n": "x"}'), "INVALID_ARGUMENT", "/n"),
    "parameters are large": (
        make_spec(parameters_json='{"n": ' + "1" * 70_000 + "}"),
        "INVALID_ARGUMENT",
        "65536",
    ),
    "isolation not held": (make_spec(isolation="vm"), "OUT_OF_RANGE", "basic"),
    "artifacts by URI": (make_spec(artifact_uri_prefix="s3://x"), "UNIMPLEMENTED", "artifact"),
}


@pytest.mark.parametrize(("spec", "code", "word"), UNSOUND.values(), ids=UNSOUND)
def test_an_unsound_spec_is_refused_with_the_field_named(spec: pb.RunSpec, code: str, word: str) -> None:
    with pytest.raises(Refusal) as refused:
        make_checks().terms(spec, DIGEST)
    assert refused.value.code == code
    assert word in refused.value.message


ABILITIES = {
    "stdin": make_spec(stdin=b"x"),
    "secrets": make_spec(secret_env={"A": "x"}),
    "inline": make_spec(source=pb.Source(inline=inline())),
    "workspace": make_spec(source=pb.Source(workspace_path="x")),
    "attachments": make_spec(attachments=[attachment()]),
}


@pytest.mark.parametrize("spec", ABILITIES.values(), ids=ABILITIES)
def test_an_ability_that_is_not_declared_is_unimplemented(spec: pb.RunSpec) -> None:
    with pytest.raises(Refusal) as refused:
        make_checks(plain=True).terms(spec, DIGEST)
    assert refused.value.code == "UNIMPLEMENTED"


def test_parameters_are_refused_where_none_are_taken_but_an_empty_object_is_none() -> None:
    make_checks(plain=True).terms(make_spec(parameters_json="{}"), DIGEST)
    with pytest.raises(Refusal, match="takes no such settings"):
        make_checks(plain=True).terms(make_spec(parameters_json='{"n": 1}'), DIGEST)


def test_a_start_without_digest_is_refused() -> None:
    with pytest.raises(Refusal, match="spec_digest"):
        make_checks().terms(make_spec(), "")


def test_the_terms_hold_what_the_spec_says() -> None:
    spec = make_spec(
        resources=pb.Resources(requests={"cpu": 5}),
        execution_timeout={"nanos": 300_000_000},
        queue_timeout=duration(2),
        termination_grace=duration(1),
    )
    terms = make_checks().terms(spec, DIGEST)
    assert terms.requests == {"cpu": 5}
    assert (terms.execution_timeout, terms.queue_timeout, terms.grace) == (0.3, 2.0, 1.0)
    assert make_checks().terms(make_spec(), DIGEST).grace == 10.0


FITS: dict[str, tuple[Callable[[], str], int, str]] = {
    "short": (lambda: "abc", 10, "abc"),
    "cut": (lambda: "abcdef", 3, "abc"),
    "never inside a character": (lambda: "aé", 2, "a"),
    "bytes that are no text": (lambda: b"a\xffb".decode("utf-8", "surrogateescape"), 10, "a\ufffdb"),
    "half a pair": (lambda: "a\ud83d", 10, "a?"),
}


@pytest.mark.parametrize(("text", "most", "want"), FITS.values(), ids=FITS)
def test_text_is_cut_to_valid_utf8(text: Callable[[], str], most: int, want: str) -> None:
    assert fit(text(), most) == want


ENDS: dict[str, tuple[str, int, str]] = {
    "short": ("abc", 10, "abc"),
    "the beginning goes": ("abcdef", 3, "def"),
    "never inside a character": ("éa", 2, "a"),
    "half a pair": ("\ud83da", 10, "?a"),
}


@pytest.mark.parametrize(("text", "most", "want"), ENDS.values(), ids=ENDS)
def test_of_a_trace_the_end_is_kept(text: str, most: int, want: str) -> None:
    assert fit_end(text, most) == want
