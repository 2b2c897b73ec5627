"""Tables of the API server are shown as it made them."""

from itertools import islice
from typing import Any

from kruntimes import Client
from kruntimes._wire import Request, Response

from kruntimes_core.cli.tables import table_rows, version_of
from kruntimes_core.cli.watching import changes
from tests.unit.sdk.runs import FakeStream, answer, line

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


class Watches:
    """A server whose watches say these lines, one watch after the other."""

    def __init__(self, *watches: list[bytes]) -> None:
        self.watches = list(watches)
        self.positions: list[str] = []

    def send(self, request: Request) -> Response:
        return answer({"metadata": {"resourceVersion": "20"}, "rows": []})

    def stream(self, request: Request) -> FakeStream:
        self.positions.append(request.query["resourceVersion"])
        stream = FakeStream()
        for said in (*self.watches.pop(0), None):
            stream.lines.put(said)
        return stream

    def close(self) -> None:
        """Nothing is held."""


def version(number: int) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(number)}}


def test_a_watch_that_the_server_forgot_is_begun_anew() -> None:
    forgotten = line("ERROR", {"code": 410, "message": "too old"})
    server = Watches([line("MODIFIED", version(2)), forgotten], [line("ADDED", version(21))])
    seen = changes(Client(transport=server), Request("GET", "/runs"), "1")
    assert [version_of(item) for item in islice(seen, 3)] == ["2", "20", "21"]
    assert server.positions == ["1", "20"]


def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    server = Watches(
        [line("MODIFIED", version(2)), line("BOOKMARK", version(9))], [line("DELETED", version(10))]
    )
    seen = changes(Client(transport=server), Request("GET", "/runs"), "1")
    assert [version_of(item) for item in islice(seen, 2)] == ["2", "10"]
    assert server.positions == ["1", "9"]
