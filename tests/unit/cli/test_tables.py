"""Tables of the API server are shown as it made them."""

from kruntimes_core.cli.get import table_rows, version_of

TABLE = {
    "columnDefinitions": [{"name": "Name"}, {"name": "Phase"}, {"name": "Pod", "priority": 1}],
    "rows": [
        {
            "cells": ["r", None, "p"],
            "object": {"metadata": {"name": "r", "namespace": "n", "resourceVersion": "9"}},
        }
    ],
}


def test_wide_columns_are_shown_when_asked_for() -> None:
    assert table_rows(TABLE, wide=False) == [["NAME", "PHASE"], ["r", ""]]
    assert table_rows(TABLE, wide=True) == [["NAME", "PHASE", "POD"], ["r", "", "p"]]


def test_namespaces_come_first() -> None:
    assert table_rows(TABLE, wide=False, namespaces=True) == [["NAMESPACE", "NAME", "PHASE"], ["n", "r", ""]]


def test_the_version_of_an_event_is_its_objects() -> None:
    assert version_of(TABLE) == "9"
    assert version_of({"metadata": {"resourceVersion": "3"}}) == "3"
