"""Which log to read for a Run's output, and when it is all there. Pure: news and lines in, pieces out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from kruntimes import frames
from kruntimes._errors import ApiError, Forbidden, KruntimesError, NotFound, Unreachable
from kruntimes._flow import Object, only, read_run, runs_path
from kruntimes._follow import Following
from kruntimes._models import Run
from kruntimes._transcript import LogPiece, Transcript
from kruntimes._wire import Request

# What the last lines of a log may need to reach its readers, once the Run's end is known.
GRACE_SECONDS = 3.0
ROTATED = "the Pod's log no longer holds them"
# The container has not started yet, or the API server asks to come back.
LATER = frozenset({400, 429, 500, 502, 503, 504})


class Reading:
    """One reader of one Run, through all its attempts if it follows.

    Whoever drives it hands in the Run whenever it changes (if it follows), reads the log that `wants` names
    and hands in its lines and its end or failure, and says when nothing has come for `patience` seconds.
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
        # The log of a daemon that was restarted is read last, since its successor wrote everything anew.
        self._previous = False
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
        query = {"container": frames.CONTAINER}
        if self._previous:
            query["previous"] = "true"
        elif self.follow:
            query["follow"] = "true"
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

    def see(self, found: Object | None) -> list[LogPiece]:
        """Take the Run as it is now, None when it is gone; NotFound is raised if it, or its name, is."""
        run = read_run(found) if found else None
        if run is None or run.uid != self._run.uid:
            raise NotFound(f"Run {self._run.name} was deleted before its end was seen", 404, "NotFound")
        self._run = run
        self.heard += 1
        return list(self._advance())

    def feed(self, line: bytes) -> list[LogPiece]:
        """Take one line of the log that is wanted."""
        piece = self._text.feed(line) if self._text else None
        if piece is not None:
            self.heard += 1
        return [*([piece] if piece else []), *self._advance()]

    def log_ended(self) -> list[LogPiece]:
        """Take note that the log came to its end; it is wanted again if more may come."""
        if self._closing or not self.follow:
            self._turn_back()
        return list(self._advance())

    def log_failed(self, error: KruntimesError) -> list[LogPiece]:
        """Take note that the log cannot be read; raises what only the caller can answer."""
        if self._previous:
            return self.log_ended()
        if isinstance(error, Unreachable):
            if not self.follow:
                raise error
            return []
        if isinstance(error, Forbidden):
            self._spent, self._why = True, str(error)
            told = LogPiece(note=f"the output of Run {self._run.name} cannot be read as it comes: {error}")
            return [told, *self._advance()]
        if self.follow and isinstance(error, ApiError) and error.status in LATER:
            return []
        self._why = "the Pod that wrote them is gone" if isinstance(error, NotFound) else str(error)
        self._spent = self._closing or not self.follow
        return list(self._advance())

    def silent(self) -> list[LogPiece]:
        """Take note that nothing came for `patience` seconds."""
        self._turn_back()
        return list(self._advance())

    def _turn_back(self) -> None:
        """Read what the daemon wrote before it was restarted, once; after that there is nothing more."""
        self._spent = self._previous or not self._closing
        self._previous = True
        self.heard += 1

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
            self._spent = self._previous = self._ran = False
            self._why = ROTATED
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


def follow_run(found: Object) -> Following:
    """Return where the watch of this one Run begins."""
    metadata = found["metadata"]
    return Following(runs_path(metadata["namespace"]), only(metadata["name"]), metadata["resourceVersion"])


def list_again(following: Following) -> Request:
    """Return what to ask when the watch's position is too old."""
    return Request("GET", following.path, following.selector)


def listed(following: Following, answer: Object) -> Object | None:
    """Return the Run in the answer, None when it is gone; the watch goes on from there."""
    found = answer.get("items") or []
    following.relisted(found, str(answer["metadata"].get("resourceVersion") or ""))
    return found[0] if found else None
