"""Strategic merge patches of the built-in kinds: lists merge by their keys; it never validates."""

from typing import Any

from kruntimes_core.dev.apiserver.errors import bad_request

# The merge key of a list, by the field that holds it; every other list is replaced whole.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "secrets": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "ownerReferences": "uid",
}
_SETS = {"finalizers"}
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def merge(target: Any, patch: Any) -> Any:
    """The object that the patch makes of the target, which stays as it is."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unexpected patch directive: {directive}")
    result = dict(target) if isinstance(target, dict) else {}
    kept = patch.get("$retainKeys")
    if isinstance(kept, list):
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            result[name] = [each for each in result.get(name) or () if each not in value]
        elif not key.startswith("$"):
            _set(result, key, value, patch)
    return result


def _set(result: dict[str, Any], key: str, value: Any, patch: dict[str, Any]) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        result[key] = merge(result.get(key), value)
        if value.get("$patch") == "delete":
            del result[key]
    elif isinstance(value, list) and key in _KEYS and all(isinstance(each, dict) for each in value):
        result[key] = _merged_list(result.get(key) or [], value, _KEYS[key], patch.get(_ORDER + key))
    elif isinstance(value, list) and key in _SETS:
        result[key] = list(dict.fromkeys([*(result.get(key) or ()), *value]))
    else:
        result[key] = value


def _merged_list(old: list[Any], patch: list[dict[str, Any]], key: str, order: Any) -> list[Any]:
    if any(each.get("$patch") == "replace" for each in patch):
        return [each for each in patch if "$patch" not in each]
    result = {each.get(key): each for each in old}
    for each in patch:
        name = each.get(key)
        if name is None:
            raise bad_request(f"map: {each} does not contain declared merge key: {key}")
        if each.get("$patch") == "delete":
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), each)
    if isinstance(order, list):
        names = [each.get(key) for each in order if isinstance(each, dict)]
        # Those the patch orders come in its order, after those it does not know.
        known = sorted((n for n in result if n in names), key=names.index)
        return [result[n] for n in (*(n for n in result if n not in names), *known)]
    return list(result.values())
