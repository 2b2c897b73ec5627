"""Which words of a command mean which kind of object, and where that kind is in the API; prints nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kruntimes import Client, NotFound
from kruntimes._wire import Request

from kruntimes_core.cli.failures import UsageError

OWN_GROUP = "kruntimes.io/v1alpha1"
WORDS = {
    "runs": ("run", "rn", "run.kruntimes.io", "runs.kruntimes.io"),
    "runtimes": ("runtime", "rt", "runtime.kruntimes.io", "runtimes.kruntimes.io"),
}


@dataclass(frozen=True)
class Place:
    """A collection of the API."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of the collection, or of one object of it; no namespace means all of them."""
        root = "/apis" if "/" in self.api_version else "/api"
        middle = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        tail = f"/{quote(name, safe='')}" if name else ""
        return f"{root}/{self.api_version}{middle}/{self.plural}{tail}"


def place_of_word(word: str) -> Place | None:
    """Return the collection a word means, None when it means none of ours."""
    for plural, others in WORDS.items():
        if word == plural or word in others:
            return Place(OWN_GROUP, plural)
    return None


def place_of_object(client: Client, found: Mapping[str, Any]) -> Place:
    """Return the collection an object belongs to, asking the API server for kinds that are not ours."""
    version, kind = str(found.get("apiVersion") or ""), str(found.get("kind") or "")
    own = place_of_word(kind.lower()) if version == OWN_GROUP else None
    if own is not None:
        return own
    root = "/apis" if "/" in version else "/api"
    try:
        served = client.ask(Request("GET", f"{root}/{version}"))["resources"] if version else []
    except NotFound:
        served = []
    for resource in served:
        if resource["kind"] == kind and "/" not in resource["name"]:
            return Place(version, resource["name"], bool(resource["namespaced"]))
    raise UsageError(f"the API server has no kind {kind!r} in {version!r}; are the CRDs installed?")


def split_words(words: list[str]) -> list[tuple[Place, str]]:
    """Return the objects named as `[KIND] NAME...` or `KIND/NAME...`; a Run is meant when no kind is said."""
    place = place_of_word(words[0]) if words else None
    names = words[1:] if place is not None else words
    found = []
    for name in names:
        kind, slash, rest = name.rpartition("/")
        named = place_of_word(kind) if slash else place or Place(OWN_GROUP, "runs")
        if named is None:
            raise UsageError(
                f"{name}: {kind!r} is no kind of ours; there are runs and runtimes, and kubectl for the rest"
            )
        found.append((named, rest))
    return found


def run_name(word: str) -> str:
    """Return the name of the Run that one word means, be it NAME or run/NAME as krt itself prints it."""
    ((place, name),) = split_words([word]) or [(Place(OWN_GROUP, "runs"), word)]
    if place.plural != "runs":
        raise UsageError(f"{word} is no Run; `krt get {word}` shows it")
    return name
