"""Orders and reports survive the way through bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_servers.local import messages
from runtime_servers.local.messages import Began, Ended, Failed, Gone, Left, Order, Ready, Report

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
many = st.lists(texts, max_size=4).map(tuple)
orders = st.builds(
    Order,
    workspace=texts,
    files=st.lists(st.tuples(texts, st.binary()), max_size=3).map(tuple),
    shell=many,
    scripts=many,
    args=many,
    program=many,
    environment=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    limits=st.lists(st.tuples(st.sampled_from(["CORE", "DATA"]), st.integers(0, 1 << 62)), max_size=2).map(
        tuple
    ),
)


@given(orders)
def test_an_order_arrives_as_it_was_sent(order: Order) -> None:
    assert messages.decode_order(messages.encode_order(order)) == order


REPORTS: list[Report] = [
    Ready(),
    Began(7),
    Failed(messages.AT_PROGRAM, 2, "No such file or directory", "naïve"),
    Ended(-9, True, Left(messages.FILE_READ, b"a=1\n\0"), Left(messages.FILE_READ, b"[1]")),
    Ended(255, False, Left(messages.FILE_LARGE), Left(messages.FILE_NOT_PLAIN)),
    Gone(""),
    Gone("it resists"),
]


@pytest.mark.parametrize("report", REPORTS, ids=str)
def test_a_report_arrives_as_it_was_sent(report: Report) -> None:
    assert messages.decode_report(messages.encode_report(report)) == report


def test_a_report_always_fits_into_a_packet() -> None:
    long = Failed("at", 1, "é" * 100_000, "\udc80" * 100_000)
    assert len(messages.encode_report(long)) < messages.REPORT_BYTES
    assert isinstance(messages.decode_report(messages.encode_report(long)), Failed)
    outputs = Left(messages.FILE_READ, bytes(messages.OUTPUTS_BYTES))
    large = Ended(0, True, outputs, Left(messages.FILE_READ, bytes(messages.RESULT_BYTES)))
    assert messages.decode_report(messages.encode_report(large)) == large
    assert len(messages.encode_report(large)) < messages.REPORT_BYTES


@pytest.mark.parametrize("data", [b"\0\0", b"\0\0\0\5abc", messages.pack((b"nonsense",))])
def test_what_is_no_report_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"ends inside|nothing known"):
        messages.decode_report(data)
