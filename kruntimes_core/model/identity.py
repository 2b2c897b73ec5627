"""The names by which a Run and its place are known; they never change once given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunRef:
    """One Run object: a name may be given again, a UID never is."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """One try of one Run, as the runtime protocol names it."""

    uid: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """The member a Run was given to; the Pod's UID is half of the fence, the attempt the other half."""

    pod: str
    pod_uid: str
    instance: str


def is_newer(version: str, than: str) -> bool:
    """Return whether a resourceVersion is later than another of the same kind of object.

    Kubernetes promises that they are decimal numbers which compare so; anything else is an error.
    """
    return int(version) > int(than)
