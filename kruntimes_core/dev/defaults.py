"""The Runtimes that a fresh embedded control plane has from the start. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

NAMESPACE = "default"


@dataclass(frozen=True)
class Language:
    """A language whose server comes with this package: the program it needs here, and how to get that."""

    name: str
    needs: str
    install: str


LANGUAGES = (
    Language("bash", "bash", "apt install bash"),
    # The server brings the interpreter that it runs under.
    Language("python", "", ""),
)
NAMES = tuple(language.name for language in LANGUAGES)


@dataclass(frozen=True)
class PoolSize:
    """Members of each default Runtime, and Runs each takes at once; None leaves what is there."""

    replicas: int | None = None
    slots: int | None = None


@dataclass(frozen=True)
class Defaults:
    """The Runtimes that there are to be, by the names of their languages, and their size."""

    names: tuple[str, ...] = NAMES
    size: PoolSize = PoolSize()


DEFAULT_REPLICAS = 1
DEFAULT_SLOTS = 4


def find_languages(names: Sequence[str], has: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the languages of `names` that can be served here, and a sentence for each that cannot."""
    found, missing = [], []
    for language in LANGUAGES:
        if language.name not in names:
            continue
        if not language.needs or has(language.needs):
            found.append(language.name)
        else:
            missing.append(
                f"no Runtime {language.name}: there is no {language.needs} in PATH; "
                f"get it with `{language.install}`"
            )
    return found, missing


def default_runtime(language: str, size: PoolSize) -> dict[str, Any]:
    """Return the Runtime that is named after its language."""
    container = {
        "name": "runtime",
        "image": f"kruntimes/{language}",
        "command": ["python", "-m", f"runtime_servers.{language}"],
    }
    return {
        "apiVersion": "kruntimes.io/v1alpha1",
        "kind": "Runtime",
        "metadata": {"name": language, "namespace": NAMESPACE},
        "spec": {
            "replicas": DEFAULT_REPLICAS if size.replicas is None else size.replicas,
            "capacity": {"resources": {"runs": DEFAULT_SLOTS if size.slots is None else size.slots}},
            "template": {"spec": {"containers": [container]}},
        },
    }


def resized(size: PoolSize) -> dict[str, Any]:
    """Return the merge patch that gives an existing Runtime the wanted size; empty when nothing is wanted."""
    spec: dict[str, Any] = {}
    if size.replicas is not None:
        spec["replicas"] = size.replicas
    if size.slots is not None:
        spec["capacity"] = {"resources": {"runs": size.slots}}
    return {"spec": spec} if spec else {}
