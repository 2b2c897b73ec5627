"""krt apply changes what a manifest says, removes what it no longer says, and leaves the rest alone."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kruntimes_core.cli.merge import LAST_APPLIED, patch_for, with_record


def manifest(**spec: Any) -> dict[str, Any]:
    return {"kind": "K", "metadata": {"name": "m"}, "spec": spec}


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386, as the API server does it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found


def test_nothing_changes_when_nothing_differs() -> None:
    assert patch_for(with_record(manifest(a=1)), manifest(a=1)) == {}


def test_what_is_no_longer_said_is_removed_and_what_others_wrote_stays() -> None:
    live = with_record(manifest(a=1, b=2))
    live["spec"]["theirs"] = 3
    patch = patch_for(live, manifest(b=4))
    assert patch["spec"] == {"a": None, "b": 4}
    assert merge(live, patch)["spec"] == {"b": 4, "theirs": 3}


def test_an_object_that_was_never_applied_keeps_its_fields() -> None:
    live = manifest(a=1)
    patch = patch_for(live, manifest(b=2))
    assert patch["spec"] == {"b": 2}
    assert LAST_APPLIED in patch["metadata"]["annotations"]


def test_lists_are_replaced_whole() -> None:
    assert patch_for(with_record(manifest(a=[1, 2])), manifest(a=[2]))["spec"] == {"a": [2]}


VALUES = st.recursive(
    st.integers(0, 2) | st.text("xy", max_size=1),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
SPECS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@given(SPECS, SPECS)
def test_one_apply_after_another_leaves_exactly_the_last(first: dict[str, Any], last: dict[str, Any]) -> None:
    live = with_record(manifest(**first))
    after = merge(live, patch_for(live, manifest(**last)))
    assert holds(after["spec"], last)
    assert patch_for(after, manifest(**last)) == {}


def holds(live: Any, wanted: Any) -> bool:
    """Everything wanted is there; emptied objects may stay as empty ones."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and holds(live[key], wanted[key]) for key in wanted)
    return bool(live == wanted)
