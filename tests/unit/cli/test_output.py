"""What krt shows of a Run's output, and on which stream."""

from collections.abc import Iterator

import pytest
from kruntimes import LogPiece, Unreachable

from kruntimes_core.cli.live import Live
from kruntimes_core.cli.output import write_pieces

PIECES = [
    LogPiece("stdout", b"out\xff"),
    LogPiece("stderr", b"err", note="7 bytes of stderr are missing here", missing=7),
    LogPiece(note="attempt 2 begins here"),
]
SHOWN = {
    "": (b"out\xff", b"krt: 7 bytes of stderr are missing here\nerrkrt: attempt 2 begins here\n"),
    "stdout": (b"out\xff", b"krt: attempt 2 begins here\n"),
    "stderr": (b"err", b"krt: 7 bytes of stderr are missing here\nkrt: attempt 2 begins here\n"),
}


@pytest.mark.parametrize(("channel", "want"), SHOWN.items(), ids=[name or "both" for name in SHOWN])
def test_each_channel_goes_to_its_stream_and_words_to_standard_error(
    capfdbinary: pytest.CaptureFixture[bytes], channel: str, want: tuple[bytes, bytes]
) -> None:
    write_pieces(PIECES, channel)
    shown = capfdbinary.readouterr()
    assert (shown.out, shown.err) == want


class Scripted:
    """A handle whose Run wrote one thing, and maybe cannot be read."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self._error = error

    def logs(self, *, follow: bool = False) -> Iterator[LogPiece]:
        self.asked += follow
        yield LogPiece("stdout", b"hi\n")
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("early", [False, True])
def test_output_is_shown_once_from_the_start_or_at_the_end(
    capfdbinary: pytest.CaptureFixture[bytes], early: bool
) -> None:
    handle = Scripted()
    live = Live(handle)
    if early:
        live.begin()
    live.finish()
    assert (handle.asked, capfdbinary.readouterr().out) == (1, b"hi\n")


@pytest.mark.parametrize("early", [False, True])
def test_what_goes_wrong_meanwhile_is_told_at_the_end(
    capfdbinary: pytest.CaptureFixture[bytes], early: bool
) -> None:
    live = Live(Scripted(Unreachable("cut")))
    if early:
        live.begin()
    with pytest.raises(Unreachable):
        live.finish()
    assert capfdbinary.readouterr().out == b"hi\n"
