"""What is wrong with an object's metadata, in Kubernetes' words. Pure; it never changes any."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from kruntimes_core.dev.apiserver.errors import FieldError
from kruntimes_core.dev.apiserver.resources import Object, Resource

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
_DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_DNS_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_KEY = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_KEY_TEXT = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')"
)
_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def metadata_errors(resource: Resource, obj: Object, old: Object | None) -> list[FieldError]:
    """What is wrong with an object's metadata."""
    metadata = obj["metadata"]
    errors = [] if old is not None else _name_errors(resource, metadata["name"])
    for part in ("labels", "annotations"):
        errors += _pair_errors(metadata.get(part), part)
    finalizers = metadata.get("finalizers") or []
    if not isinstance(finalizers, list) or not all(isinstance(each, str) for each in finalizers):
        errors.append(FieldError("FieldValueInvalid", "metadata.finalizers", finalizers, "must be strings"))
    elif old is not None and metadata.get("deletionTimestamp"):
        added = [each for each in finalizers if each not in (old["metadata"].get("finalizers") or [])]
        if added:
            shown = ", ".join(f'"{each}"' for each in added)
            text = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{shown}}}"
            )
            errors.append(FieldError("FieldValueForbidden", "metadata.finalizers", None, text))
    return errors + _owner_errors(metadata.get("ownerReferences"))


def _name_errors(resource: Resource, name: str) -> list[FieldError]:
    path = "metadata.name"
    if resource.kind in _FREE_NAMES:
        wrong = "/" in name or "%" in name or name in (".", "..")
        return [FieldError("FieldValueInvalid", path, name, "may not contain '/'")] if wrong else []
    if resource.kind == "Namespace" and not resource.custom:
        longest, pattern, text = 63, _DNS_LABEL, _DNS_LABEL_TEXT
    else:
        longest, pattern, text = 253, _SUBDOMAIN, _SUBDOMAIN_TEXT
    if len(name) > longest:
        return [FieldError("FieldValueInvalid", path, name, f"must be no more than {longest} bytes")]
    return [] if pattern.match(name) else [FieldError("FieldValueInvalid", path, name, text)]


def _pair_errors(pairs: Any, part: str) -> Iterator[FieldError]:
    """What is wrong with labels or annotations; only the values of labels follow a pattern."""
    path = f"metadata.{part}"
    if pairs is None:
        return
    if not isinstance(pairs, dict):
        yield FieldError("FieldValueInvalid", path, pairs, "must be a map of strings")
        return
    for key, value in pairs.items():
        if why := _key_fault(key):
            yield FieldError("FieldValueInvalid", path, key, why)
        if not isinstance(value, str):
            yield FieldError("FieldValueInvalid", f"{path}.{key}", value, "must be a string")
        elif part == "labels" and len(value) > 63:
            yield FieldError("FieldValueInvalid", path, value, "must be no more than 63 bytes")
        elif part == "labels" and not _VALUE.match(value):
            yield FieldError("FieldValueInvalid", path, value, _VALUE_TEXT)


@lru_cache(maxsize=1024)
def _key_fault(key: str) -> str:
    """Why a key is none; the same few keys come again and again."""
    prefix, slash, name = key.rpartition("/")
    if slash and "/" not in prefix and not _SUBDOMAIN.match(prefix):
        return f"prefix part {_SUBDOMAIN_TEXT}"
    if "/" in prefix or (slash and not prefix) or not _KEY.match(name):
        return _KEY_TEXT
    return "name part must be no more than 63 bytes" if len(name) > 63 else ""


def _owner_errors(owners: Any) -> list[FieldError]:
    if owners is None:
        return []
    if not isinstance(owners, list):
        return [FieldError("FieldValueInvalid", "metadata.ownerReferences", owners, "must be a list")]
    return [
        FieldError("FieldValueInvalid", f"metadata.ownerReferences[{index}].{key}", "", "must not be empty")
        for index, owner in enumerate(owners)
        for key in ("apiVersion", "kind", "name", "uid")
        if not isinstance(owner, dict) or not owner.get(key)
    ]
