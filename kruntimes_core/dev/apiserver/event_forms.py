"""The two forms of one Event, of the core group and of events.k8s.io: renamed fields, nothing else. Pure."""

from typing import Any

from kruntimes_core.dev.apiserver.resources import Object

# Field of the core form, in which Events are kept -> field of events.k8s.io.
_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_BACK = {new: old for old, new in _NAMES.items()}
# What a real server shows in every Event, set or not.
_ALWAYS: Object = {
    "involvedObject": {},
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}


def _renamed(event: Object, names: dict[str, str], version: str) -> Object:
    return {names.get(key, key): value for key, value in event.items()} | {"apiVersion": version}


def to_new(event: Object) -> Object:
    """The Event as events.k8s.io/v1 shows it."""
    return _renamed(event, _NAMES, "events.k8s.io/v1")


def to_core(event: Object) -> Object:
    """The Event as it is kept."""
    return _renamed(event, _BACK, "v1")


def completed(event: Object) -> Object:
    """The Event with the fields that every Event shows."""
    return event | {key: event.get(key) or value for key, value in _ALWAYS.items()}


def namespace_of(event: Object) -> Any:
    """Where its object is: an Event is of the same namespace."""
    involved = event.get("involvedObject")
    return involved.get("namespace") if isinstance(involved, dict) else None
