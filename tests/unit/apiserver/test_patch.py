"""Patches: RFC 7396, RFC 6902, and the strategic merge of built-in kinds."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kruntimes_core.dev.apiserver import strategic
from kruntimes_core.dev.apiserver.errors import ApiError
from kruntimes_core.dev.apiserver.patch import apply_json_patch, merge

RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "foo"}, None, None),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("target", "patch", "want"), RFC_7396)
def test_the_examples_of_the_merge_patch_standard(target: Any, patch: Any, want: Any) -> None:
    assert merge(target, patch) == want


@given(target=JSON, patch=JSON)
def test_a_merge_never_changes_what_it_is_given(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))
    once = merge(target, patch)
    assert (target, patch) == before
    assert merge(once, patch) == once


def test_a_merge_leaves_untouched_subtrees_the_same_objects() -> None:
    target: dict[str, Any] = {"spec": {"a": [1]}, "status": {"b": {"c": 1}, "d": {}}}
    got = merge(target, {"status": {"b": {"c": 2}}})
    assert got["spec"] is target["spec"]
    assert got["status"]["d"] is target["status"]["d"]


def test_a_json_patch_is_done_on_a_copy() -> None:
    target = {"a": {"b": 1}, "list": [1, 2]}
    got = apply_json_patch(target, [{"op": "add", "path": "/list/-", "value": 3}])
    assert got["list"] == [1, 2, 3]
    assert target["list"] == [1, 2]
    malformed: Any
    for malformed, code in (
        ({}, 400),
        ([1], 400),
        ([{"op": "fly"}], 422),
        ([{"op": "add", "path": "/x"}], 422),
    ):
        with pytest.raises(ApiError) as caught:
            apply_json_patch(target, malformed)
        assert caught.value.code == code


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "another value than was there": (
        {"op": "test", "path": "/a/b", "value": {"c": None}},
        "testing value /a/b failed: test failed",
    ),
    "a test of what is not there": (
        {"op": "test", "path": "/no", "value": 1},
        "testing value /no failed: test failed",
    ),
    "nothing to remove": (
        {"op": "remove", "path": "/a/no"},
        'remove operation does not apply: doc is missing path: "/a/no": missing value',
    ),
    "nothing to replace in": (
        {"op": "replace", "path": "/no/b", "value": 0},
        'replace operation does not apply: doc is missing path: "/no/b": missing value',
    ),
    "something in a number": (
        {"op": "add", "path": "/a/b/c", "value": 0},
        'add operation does not apply: doc is missing path: "/a/b/c": missing value',
    ),
    "past the end of a list": (
        {"op": "add", "path": "/list/9", "value": 0},
        "error in add for path: '/list/9': invalid index referenced",
    ),
    "nothing to move": (
        {"op": "move", "from": "/no", "path": "/a/b"},
        'move operation does not apply: doc is missing path: "/no": missing value',
    ),
}


@pytest.mark.parametrize(("operation", "want"), MISFITS.values(), ids=MISFITS)
def test_a_json_patch_that_does_not_fit_is_refused_in_kubernetes_words(
    operation: dict[str, Any], want: str
) -> None:
    target = {"a": {"b": 1}, "list": [1, 2]}
    with pytest.raises(ApiError) as caught:
        apply_json_patch(target, [{"op": "add", "path": "/list/-", "value": 3}, operation])
    assert (caught.value.code, caught.value.details["causes"][0]["message"]) == (422, want)
    assert target == {"a": {"b": 1}, "list": [1, 2]}


def containers(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(items)} | more}


A1, B1, B2 = {"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "b", "image": "2"}
ORDER = "$setElementOrder/containers"
STRATEGIC: dict[str, tuple[Any, Any, Any]] = {
    "items are found by their key": (containers(A1, B1), containers(B2), containers(A1, B2)),
    "an item is deleted by its key": (
        containers(A1, B1),
        containers({"name": "a", "$patch": "delete"}),
        containers(B1),
    ),
    "a list is replaced when the patch says so": (
        containers(A1, B1),
        containers(B2, {"$patch": "replace"}),
        containers(B2),
    ),
    "the order is the patch's": (
        containers(A1, B1),
        containers(B2, **{ORDER: [{"name": "b"}, {"name": "a"}]}),
        containers(B2, A1),
    ),
    "a list without a key is replaced": ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
    "finalizers are added": (
        {"metadata": {"finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b"]}},
        {"metadata": {"finalizers": ["a", "b"]}},
    ),
    "values are taken out of a list of plain values": (
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b"]}},
    ),
    "a map is replaced when the patch says so": (
        {"data": {"a": "1"}},
        {"data": {"$patch": "replace", "b": "2"}},
        {"data": {"b": "2"}},
    ),
    "only the kept keys stay": (
        {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
        {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
        {"strategy": {"type": "Recreate"}},
    ),
    "null removes": ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
}


@pytest.mark.parametrize(("target", "patch", "want"), STRATEGIC.values(), ids=STRATEGIC.keys())
def test_strategic_merge(target: Any, patch: Any, want: Any) -> None:
    before = copy.deepcopy(target)
    assert strategic.merge(target, patch) == want
    assert target == before


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic.merge(containers(A1), containers({"image": "3"}))
