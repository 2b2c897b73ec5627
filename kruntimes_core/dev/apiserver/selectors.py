"""Label and field selectors: parsed once, matched often; it never looks at more than what it is given."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kruntimes_core.dev.apiserver.errors import bad_request

_IN = re.compile(r"^(?P<key>\S+?)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)$")
_COMPARE = re.compile(r"^(?P<key>[^\s=!]+)\s*(?P<op>==|=|!=)\s*(?P<value>\S*)$")
_EXISTS = re.compile(r"^(?P<op>!?)\s*(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)$")


@dataclass(frozen=True)
class Requirement:
    """What one key must hold: one of `values`, or none; `absent` says whether a missing key passes."""

    key: str
    values: frozenset[str] | None
    wanted: bool
    absent: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether this mapping satisfies the requirement."""
        value = labels.get(self.key)
        if value is None:
            return self.absent
        return self.wanted if self.values is None else (value in self.values) is self.wanted


@dataclass(frozen=True)
class Selector:
    """All of its requirements must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()
    text: str = field(default="", compare=False)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether this mapping satisfies every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def equality(self) -> tuple[str, str] | None:
        """A key and the one value it must have, if there is such a pair: the key of an index."""
        for requirement in self.requirements:
            if requirement.wanted and requirement.values is not None and len(requirement.values) == 1:
                return requirement.key, next(iter(requirement.values))
        return None


EVERYTHING = Selector()


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [part.strip() for part in [*parts, text[start:]]]


def parse_labels(text: str) -> Selector:
    """A label selector in the notation of `kubectl -l`."""
    if not text.strip():
        return EVERYTHING
    return Selector(tuple(_label_requirement(part, text) for part in _split(text)), text)


def _label_requirement(part: str, text: str) -> Requirement:
    if found := _IN.match(part):
        wanted = found["op"] == "in"
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], values, wanted, not wanted)
    if found := _COMPARE.match(part):
        wanted = found["op"] != "!="
        return Requirement(found["key"], frozenset([found["value"]]), wanted, not wanted)
    if found := _EXISTS.match(part):
        wanted = not found["op"]
        return Requirement(found["key"], None, wanted, not wanted)
    raise bad_request(f'unable to parse requirement: found {part!r} in label selector "{text}"')


def parse_fields(
    text: str, supported: Callable[[str], bool], refusal: str = "field label not supported: {}"
) -> Selector:
    """A field selector; a field this resource does not index is refused."""
    if not text.strip():
        return EVERYTHING
    requirements = []
    for part in _split(text):
        found = _COMPARE.match(part)
        if found is None:
            raise bad_request(f'invalid field selector "{text}": can\'t understand {part!r}')
        if not supported(found["key"]):
            raise bad_request(refusal.format(found["key"]))
        wanted = found["op"] != "!="
        # An absent field reads as the empty string, as in Kubernetes.
        absent = (found["value"] == "") is wanted
        requirements.append(Requirement(found["key"], frozenset([found["value"]]), wanted, absent))
    return Selector(tuple(requirements), text)
