"""Selectors: what kubectl writes, and what it means."""

import pytest

from kruntimes_core.dev.apiserver.errors import ApiError
from kruntimes_core.dev.apiserver.selectors import parse_fields, parse_labels

LABELS = {"app": "web", "tier": "front", "empty": ""}
CASES = {
    "": True,
    "app=web": True,
    "app==web": True,
    "app = db": False,
    "app!=db": True,
    "missing!=db": True,
    "missing=db": False,
    "app in (web, db)": True,
    "app in (db)": False,
    "app notin (db)": True,
    "missing notin (db)": True,
    "app": True,
    "missing": False,
    "!missing": True,
    "!app": False,
    "empty=": True,
    "app=web,tier in (front,back),!missing": True,
    "app=web,tier in (back)": False,
}


@pytest.mark.parametrize(("text", "want"), CASES.items(), ids=[text or "nothing" for text in CASES])
def test_a_label_selector_matches(text: str, want: bool) -> None:
    assert parse_labels(text).matches(LABELS) is want


@pytest.mark.parametrize("text", ["app in", "a b", "=x", "app in (a", "a,,b"])
def test_a_label_selector_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="unable to parse requirement"):
        parse_labels(text)


def test_a_field_selector_takes_an_absent_field_for_an_empty_one() -> None:
    def parse(text: str) -> bool:
        return parse_fields(text, lambda name: name.startswith("status.")).matches(
            {"status.phase": "Pending"}
        )

    assert parse("status.phase=Pending")
    assert parse("status.assignedPod=")
    assert not parse("status.assignedPod!=")
    assert parse("status.assignedPod!=a")
    with pytest.raises(ApiError, match=r"field label not supported: spec\.x"):
        parse("spec.x=1")
    with pytest.raises(ApiError, match="invalid field selector"):
        parse("status.phase")


def test_an_equality_can_be_looked_up() -> None:
    assert parse_labels("a!=b,c in (d)").equality() == ("c", "d")
    assert parse_labels("a!=b,c in (d,e)").equality() is None
