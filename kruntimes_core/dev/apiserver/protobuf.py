"""The few built-in kinds that kubectl creates in Kubernetes' protobuf form; it never writes that form."""

import base64
from collections.abc import Iterator
from typing import Any

from kruntimes_core.dev.apiserver.errors import ApiError, unsupported_media
from kruntimes_core.dev.apiserver.resources import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Field number -> (name, what it is): text, bytes, flag, texts (a list), a map of one of them, or a message.
_METADATA = {
    1: ("name", "text"),
    2: ("generateName", "text"),
    3: ("namespace", "text"),
    11: ("labels", "map text"),
    12: ("annotations", "map text"),
    14: ("finalizers", "texts"),
}
_SERVER_OWNED = {4, 5, 6, 7, 8}  # selfLink, uid, resourceVersion, generation, creationTimestamp
_KINDS: dict[str, dict[int, tuple[str, str]]] = {
    "Namespace": {},
    "ServiceAccount": {},
    "ConfigMap": {2: ("data", "map text"), 3: ("binaryData", "map bytes"), 4: ("immutable", "flag")},
    "Secret": {
        2: ("data", "map bytes"),
        3: ("type", "text"),
        4: ("stringData", "map text"),
        5: ("immutable", "flag"),
    },
}
_IGNORED = {"Namespace": {2, 3}}  # spec and status, which the server sets


def decode(content: bytes) -> Object:
    """The object in an envelope of Kubernetes; a kind or field that is not known here is refused."""
    if not content.startswith(_MAGIC):
        raise _refusal("the body does not begin as Kubernetes' protobuf does")
    envelope = dict(_fields(content[len(_MAGIC) :]))
    type_meta = dict(_fields(envelope.get(1, b"")))
    version, kind = bytes(type_meta.get(1, b"")).decode(), bytes(type_meta.get(2, b"")).decode()
    if version != "v1" or kind not in _KINDS:
        raise _refusal(f"of {kind} the embedded API server reads JSON and YAML; use apply or create -f")
    obj: Object = {"apiVersion": version, "kind": kind, "metadata": {}}
    known = _KINDS[kind]
    for number, value in _fields(envelope.get(2, b"")):
        if number == 1:
            for each, inner in _fields(value):
                _set(obj["metadata"], each, inner, _METADATA, _SERVER_OWNED)
        else:
            _set(obj, number, value, known, _IGNORED.get(kind, set()))
    return obj


def _set(
    target: Object, number: int, value: Any, known: dict[int, tuple[str, str]], ignored: set[int]
) -> None:
    if number in ignored or (number not in known and not value):
        return
    if number not in known:
        raise _refusal(f"field {number} is not read in this form; use apply or create -f")
    name, kind = known[number]
    if kind == "texts":
        target.setdefault(name, []).append(value.decode())
    elif kind.startswith("map "):
        entry = dict(_fields(value))
        target.setdefault(name, {})[entry.get(1, b"").decode()] = _value(kind[4:], entry.get(2, b""))
    elif value:
        target[name] = _value(kind, value)


def _value(kind: str, value: Any) -> Any:
    if kind == "flag":
        return bool(value)
    return value.decode() if kind == "text" else base64.b64encode(value).decode()


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of one message: its number, and bytes or an integer."""
    position = 0
    try:
        while position < len(content):
            tag, position = _varint(content, position)
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                value, position = _varint(content, position)
                yield number, value
                continue
            if wire == _BYTES:
                size, position = _varint(content, position)
            elif wire in (_FIXED32, _FIXED64):
                size = 4 if wire == _FIXED32 else 8
            else:
                raise _refusal(f"wire type {wire} is not known")
            if position + size > len(content):
                raise _refusal("the body is cut short")
            yield number, content[position : position + size]
            position += size
    except IndexError as error:
        raise _refusal("the body is cut short") from error


def _varint(content: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = content[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _refusal(why: str) -> ApiError:
    return unsupported_media(("application/json", "application/yaml"), why)
