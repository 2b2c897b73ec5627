"""Builders for tests of the book of Runs."""

from collections.abc import Mapping

import pytest
from kruntimes.server import End, Refusal, RunKey
from kruntimes.server.machine import Act, Book, Policy, Record, Terms

KEY = RunKey("u", 1)
DIGEST = "sha256:1"


def make_book(capacity: Mapping[str, int] | None = None, **policy: float) -> Book:
    return Book(Policy(instance="i", capacity=capacity or {"runs": 2}, **policy))  # type: ignore[arg-type]


def start(book: Book, key: RunKey = KEY, now: float = 0.0, digest: str = DIGEST, **terms: object) -> Record:
    known = book.find(key, digest, "i", now)
    if known is not None:
        return known
    promised = Terms(**{"requests": {"runs": 1}, "grace": 5.0, **terms})  # type: ignore[arg-type]
    return book.admit(key, digest, promised, now)


def end(book: Book, key: RunKey = KEY, now: float = 1.0, **ended: object) -> Record:
    record = book.ended(key, End(**{"exit_code": 0, **ended}), now)  # type: ignore[arg-type]
    assert record is not None
    return record


def acts(book: Book) -> list[Act]:
    return [order.act for order in book.orders()]


def refused(*, reason: str, code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.RaisesExc(Refusal, check=lambda error: (error.reason, error.code) == (reason, code))
