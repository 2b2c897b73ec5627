"""The three-way merge behind `krt apply`: what to change in an object to fit a manifest. Pure."""

import json
from collections.abc import Mapping
from typing import Any

# kubectl's own, so that both can be used on one object.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Object = Mapping[str, Any]


def with_record(manifest: Object) -> dict[str, Any]:
    """Return the manifest with the note of itself that the next apply compares with."""
    metadata = dict(manifest.get("metadata") or {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), LAST_APPLIED: _record(manifest)}
    return {**manifest, "metadata": metadata}


def patch_for(live: Object, manifest: Object) -> dict[str, Any]:
    """Return the merge patch that turns `live` into what `manifest` says; empty when nothing differs.

    What the last applied manifest said and this one does not is removed; what others wrote stays.
    """
    note = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    before = json.loads(note) if note else {}
    patch = _difference(live, manifest, before)
    if not patch:
        return {}
    annotations = patch.setdefault("metadata", {}).setdefault("annotations", {})
    annotations[LAST_APPLIED] = _record(manifest)
    return patch


def _difference(live: Object, wanted: Object, before: Object) -> dict[str, Any]:
    patch: dict[str, Any] = {key: None for key in before if key not in wanted and key in live}
    for key, value in wanted.items():
        present = live.get(key)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            old = before.get(key)
            inner = _difference(present, value, old if isinstance(old, Mapping) else {})
            if inner:
                patch[key] = inner
        elif present != value:
            patch[key] = value
    return patch


def _record(manifest: Object) -> str:
    plain = json.loads(json.dumps(manifest))
    (plain.get("metadata", {}).get("annotations") or {}).pop(LAST_APPLIED, None)
    return json.dumps(plain, separators=(",", ":"), sort_keys=True) + "\n"
