"""Which log to read for a Run's output, and when it is all there. Pure: news and lines in, pieces out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from kruntimes import frames
from kruntimes._flow import Object, read_run
from kruntimes._models import Run
from kruntimes._transcript import LogPiece, Transcript
from kruntimes._wire import Request

# What the last lines of a log may need to reach its readers, once the Run's end is known.
GRACE_SECONDS = 3.0
ROTATED = "the Pod's log no longer holds them"


class Reading:
    """One reader of one Run, through all its attempts if it follows.

    Whoever drives it hands in the Run whenever it changes (if it follows), reads the log that `wants` names
    and hands in its lines and its end, and says when nothing has come for `patience` seconds.
    Each of these returns pieces; it is done when `over`.
    """

    def __init__(self, found: Object, follow: bool) -> None:
        self.follow = follow
        self.over = False
        self.heard = 0
        """Counts what was of use: `patience` begins anew with it."""
        self._run: Run = read_run(found)
        self._text: Transcript | None = None
        self._pod = ""
        self._ran = False
        # No more will be read of the current attempt, and why.
        self._spent = False
        self._why = ROTATED

    @property
    def wants(self) -> Request | None:
        """The log to read now, if one is to be read."""
        if self.over or self._text is None or self._spent or not self._pod:
            return None
        if not (self._closing or self._run.phase == "Running"):
            return None
        path = (
            f"/api/v1/namespaces/{quote(self._run.namespace, safe='')}/pods/{quote(self._pod, safe='')}/log"
        )
        query = {"container": frames.CONTAINER} | ({"follow": "true"} if self.follow else {})
        return Request("GET", path, query, accept="*/*")

    @property
    def patience(self) -> float | None:
        """After how many seconds of silence to call `silent`; None while silence means nothing."""
        return GRACE_SECONDS if self._closing and not self.over else None

    @property
    def _closing(self) -> bool:
        """Whether the attempt that is read has ended."""
        other = self._text is not None and self._text.attempt != self._run.attempt
        return other or self._run.result is not None

    def begin(self) -> list[LogPiece]:
        """Return what can be said without reading anything."""
        found = list(self._advance())
        if not self.follow and not self.over and self.wants is None:
            self.over = True
            found.append(
                LogPiece(note=f"Run {self._run.name} is {self._run.phase}, and has written nothing yet")
            )
        return found

    def see(self, found: Object) -> list[LogPiece]:
        """Take the Run as it is now."""
        self._run = read_run(found)
        self.heard += 1
        return list(self._advance())

    def feed(self, line: bytes) -> list[LogPiece]:
        """Take one line of the log that is wanted."""
        piece = self._text.feed(line) if self._text else None
        if piece is not None:
            self.heard += 1
        return [*([piece] if piece else []), *self._advance()]

    def log_ended(self, why: str = "") -> list[LogPiece]:
        """Take note that the log came to its end, or cannot be read: `why` says so if it is for good."""
        self._why = why or ROTATED
        self._spent = self._closing or not self.follow
        return list(self._advance())

    def refused(self, why: str) -> list[LogPiece]:
        """Take note that this user may not read the log; what the Run's status holds is all there is."""
        self._spent, self._why = True, why
        told = LogPiece(note=f"the output of Run {self._run.name} cannot be read as it comes: {why}")
        return [told, *self._advance()]

    def silent(self) -> list[LogPiece]:
        """Take note that nothing came for `patience` seconds."""
        self._spent = True
        return list(self._advance())

    def _advance(self) -> Iterator[LogPiece]:
        """Go on to where the Run is."""
        if self.over:
            return
        text, run = self._text, self._run
        if text is not None and text.attempt != run.attempt:
            if not (text.has_ended or self._spent):
                return
            yield from self._leave(text)
            self._text = text = None
        if text is None and run.attempt and (run.pod or run.result):
            self._text, self._pod = Transcript(run.uid, run.attempt), ""
            self._spent, self._ran, self._why = False, False, ROTATED
            if run.attempt > 1:
                yield LogPiece(
                    attempt=run.attempt, note=f"attempt {run.attempt} of Run {run.name} begins here"
                )
        self._pod = run.pod or self._pod
        self._ran = self._ran or run.phase == "Running"
        yield from self._conclude(run)

    def _leave(self, text: Transcript) -> Iterator[LogPiece]:
        yield from text.settle({}, self._why)
        if not text.has_ended and (self._ran or not text.is_empty):
            said = f"the end of what attempt {text.attempt} wrote was not seen: its member was lost"
            yield LogPiece(attempt=text.attempt, note=said)

    def _conclude(self, run: Run) -> Iterator[LogPiece]:
        """End, if nothing more is to come."""
        if run.result is None:
            self.over = self._spent and not self.follow
            return
        output = {"stdout": run.result.stdout, "stderr": run.result.stderr}
        text = self._text or Transcript(run.uid, run.attempt)
        if text.reaches(output) or text.has_ended or self._spent or not self._pod:
            yield from text.settle(output, self._why)
            self.over = True
