"""What the documentation tells people to type and to open exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kruntimes_core.cli.main import VERBS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md"), ROOT / "proto/SPEC.md"]
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MANIFESTS = {
    "docs/writing-a-runtime-server.md": "examples/02-runtime-server/runtime.yaml",
}


def code(page: Path) -> str:
    """Everything on a page that is set as code."""
    text = page.read_text()
    return "\n".join(
        [*(body for _, body in BLOCK.findall(text)), *re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))]
    )


def named(pattern: str) -> Iterator[tuple[str, str]]:
    """Page and word for each match of a pattern in code."""
    for page in PAGES:
        for word in re.findall(pattern, code(page), re.MULTILINE):
            yield str(page.relative_to(ROOT)), word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    dead = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert dead == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = [
        (page, target) for page, target in named(r"^make (?:[A-Z]+=\S+ )?([a-z-]+)") if target not in targets
    ]

    assert missing == []


def test_every_verb_of_krt_exists() -> None:
    missing = [(page, verb) for page, verb in named(r"^krt ([a-z]+)") if verb not in VERBS]

    assert missing == []


@pytest.mark.parametrize("page", MANIFESTS)
def test_a_manifest_on_a_page_is_the_one_that_is_tried(page: str) -> None:
    (block,) = [body for kind, body in BLOCK.findall((ROOT / page).read_text()) if kind == "yaml"]

    assert yaml.safe_load(block) == yaml.safe_load((ROOT / MANIFESTS[page]).read_text())


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name.partition("-")[0] for page in (ROOT / "docs/adr").glob("*.md")]

    assert len(numbers) == len(set(numbers))
