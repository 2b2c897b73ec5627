"""The published text and the proto files speak of the same protocol."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from kruntimes.runtime.v1 import runtime_service_pb2, types_pb2

SPEC = (Path(__file__).resolve().parents[3] / "proto" / "SPEC.md").read_text()
CHECK = re.compile(r"`\[[A-Z]{2}-\d\d\]`")
METHODS = [
    method.name for method in runtime_service_pb2.DESCRIPTOR.services_by_name["RuntimeService"].methods
]


def paragraphs() -> list[str]:
    """Every paragraph, list entry and table row after the introduction."""
    body = SPEC[SPEC.index("## Words") :]
    starts = [match.start() for match in re.finditer(r"^(?:- |\||\S)", body, re.MULTILINE)]
    blocks = [body[start:end] for start, end in pairwise([*starts, len(body)])]
    joined: list[str] = []
    for block in blocks:
        fresh = block.startswith(("- ", "|", "#")) or not joined or joined[-1].endswith("\n\n")
        if fresh:
            joined.append(block)
        else:
            joined[-1] += block
    return joined


@pytest.mark.parametrize("method", METHODS)
def test_every_rpc_has_its_section(method: str) -> None:
    assert f"\n### {method}\n" in SPEC


@pytest.mark.parametrize(
    "name",
    [name for name in types_pb2.RunState.DESCRIPTOR.values_by_name if not name.endswith("_UNSPECIFIED")],
)
def test_every_state_has_its_row_and_number(name: str) -> None:
    state = name.removeprefix("RUN_STATE_")

    assert f"\n| {state} |" in SPEC
    assert f"{state} {types_pb2.RunState.Value(name)}" in SPEC


def test_every_demand_names_the_check_that_proves_it() -> None:
    bare = [text for text in paragraphs() if "MUST" in text and not CHECK.search(text)]

    assert bare == []


def test_every_section_of_the_contents_exists() -> None:
    for anchor in re.findall(r"\]\(#([a-z-]+)\)", SPEC):
        assert any(
            heading.lower().replace(" ", "-") == anchor
            for heading in re.findall(r"^## (.+)$", SPEC, re.MULTILINE)
        )
