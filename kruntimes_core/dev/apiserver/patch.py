"""Merge and JSON patches over values that are never changed in place; it never validates the result."""

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer

from kruntimes_core.dev.apiserver.errors import bad_request, rejected_patch

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, copying only along the changed paths, so that an untouched subtree stays the same object."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(result.get(key), value)
        else:
            result[key] = value
    return result


def apply_json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902 on a copy; what does not fit the object is refused whole."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("json: a JSON patch must be a list of operations")
    result = copy.deepcopy(target)
    for operation in operations:  # one by one, so that a refusal can name the one that did not fit
        try:
            result = jsonpatch.JsonPatch([operation]).apply(result, in_place=True)
        except jsonpatch.InvalidJsonPatch as error:
            raise rejected_patch(str(error)) from error
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
            raise rejected_patch(_misfit(operation, error)) from error
    return result


def _misfit(operation: Mapping[str, Any], error: Exception) -> str:
    """Say in Kubernetes' words what did not fit; the library's own show values as Python writes them."""
    verb, path = operation["op"], operation["path"]
    if verb == "test":
        return f"testing value {path} failed: test failed"
    nowhere = isinstance(error, jsonpatch.JsonPatchPathNotFound)
    if isinstance(error, jsonpatch.JsonPatchConflict) and not nowhere:
        return f"error in {verb} for path: '{path}': invalid index referenced"
    if nowhere and "from" in operation:
        path = operation["from"]
    return f'{verb} operation does not apply: doc is missing path: "{path}": missing value'
