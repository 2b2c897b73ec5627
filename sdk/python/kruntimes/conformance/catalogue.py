"""Every check by id: its rule from catalogue.txt, its code where there is some. Runs none of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from importlib import import_module
from importlib.resources import files
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kruntimes.conformance.trial import Trial

Code = Callable[["Trial"], Awaitable[None]]


class Manner(Enum):
    """Beside what a check may run."""

    TOGETHER = "beside others"
    ALONE = "with nothing else under way on the server"
    APART = "on a server of its own where one can be started, else alone"
    OWN = "on a server of its own only, since no other check could use it afterwards"
    LAST = "after all others, whose calls it judges"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `runs` and `streams` are how many of each it holds at once; `code` None: not yet written."""

    id: str
    name: str
    rule: str
    needs: tuple[str, ...]
    priority: int
    fixtures: tuple[str, ...] = ()
    manner: Manner = Manner.TOGETHER
    runs: int = 1
    streams: int = 0
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    code: Code
    fixtures: tuple[str, ...]
    manner: Manner
    runs: int
    streams: int


_WRITTEN: Final[dict[str, _Written]] = {}


def check(
    identity: str, *fixtures: str, manner: Manner = Manner.TOGETHER, runs: int = 1, streams: int = 0
) -> Callable[[Code], Code]:
    """Register the code of a check, with the fixtures it cannot do without."""

    def register(code: Code) -> Code:
        if identity in _WRITTEN:
            raise ValueError(f"{identity} is written twice")
        _WRITTEN[identity] = _Written(code, fixtures, manner, runs, streams)
        return code

    return register


@cache
def all_checks() -> Mapping[str, Check]:
    """Every check by id, in the order of the catalogue."""
    text = files(__package__).joinpath("catalogue.txt").read_text(encoding="utf-8")
    package = import_module(f"{__package__}.checks")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    listed = [_listed(line) for line in text.splitlines() if line and not line.startswith("#")]
    if strangers := _WRITTEN.keys() - {one.id for one in listed}:
        raise ValueError(f"not in the catalogue: {', '.join(sorted(strangers))}")
    return {one.id: one for one in listed}


def _listed(line: str) -> Check:
    identity, name, rule, needs, priority = (cell.strip() for cell in line.split("|"))
    words = tuple(word.strip() for word in needs.split(",") if word.strip())
    found = Check(identity, name, rule, words, int(priority))
    written = _WRITTEN.get(identity)
    if written is None:
        return found
    return replace(
        found,
        code=written.code,
        fixtures=written.fixtures,
        manner=written.manner,
        runs=written.runs,
        streams=written.streams,
    )


_STANDARD: Final = frozenset({"watch", "output", "output.live", "ordered", "drain", "watch or output"})
_ADDED: Final = {"FN": "function", "PR": "prepare", "AR": "artifact"}
_DELEGATED: Final = frozenset({"EXTERNAL", "POD", "recover", "queues", "backend hook"})


def profile_of(check: Check) -> str:
    """The profile that a check belongs to."""
    needs = set(check.needs)
    if check.id[:2] in _ADDED:
        return _ADDED[check.id[:2]]
    if needs & _DELEGATED:
        return "delegated"
    return "standard" if needs & _STANDARD else "core"
