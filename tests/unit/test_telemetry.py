"""One record, one line."""

import logging

from kruntimes_core.telemetry import LineFormatter


def test_a_record_is_one_line_whatever_it_holds() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "broke\nhere", None, None)
    record.run = "team/r"
    record.why = 'it said "no"\nand left'
    line = LineFormatter("a-program").format(record)
    assert line.endswith(r'Z WARNING a-program broke\nhere run=team/r why="it said \"no\"\nand left"')
    assert "\n" not in line
