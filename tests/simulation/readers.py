"""Who follows the output of a model server's Runs; what a Run says is not modelled."""

from __future__ import annotations

from collections.abc import Callable

from kruntimes_core.daemon.instructions import Outcome, Refused
from kruntimes_core.daemon.server import Code
from kruntimes_core.model.identity import RunKey
from tests.simulation.clockwork import Loop, Process

# After so long without a word a client gives up.
_SILENCE = 30.0

Answer = Callable[[Outcome], None]


class Ended:
    """The end of one call; it is heard in the life of the client that made the call, or never."""

    def __init__(self, client: Process, answer: Answer) -> None:
        self.outcome: Outcome = Refused(Code.UNAVAILABLE)
        self.tell = client.callback(lambda: answer(self.outcome))


class Readers:
    """Calls that last as long as a Run does, each answered once."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: list[tuple[RunKey, Ended]] = []

    def open(self, client: Process, reply: Answer) -> Answer:
        """Return what answers the call, the first time it is called."""
        answered = False

        def answer(outcome: Outcome) -> None:
            nonlocal answered
            if not answered:
                answered = True
                reply(outcome)

        client.after(_SILENCE, lambda: answer(Refused(Code.DEADLINE_EXCEEDED)))
        return answer

    def wait(self, key: RunKey, client: Process, answer: Answer) -> None:
        """Answer when the Run ends."""
        self._waiting.append((key, Ended(client, answer)))

    def end(self, outcome: Outcome, key: RunKey | None = None) -> None:
        """Answer those of one Run, or all of them, a little later."""
        for known, ended in self._waiting:
            if key in (None, known):
                ended.outcome = outcome
                self._loop.after(0.002, ended.tell)
        self._waiting = [entry for entry in self._waiting if key not in (None, entry[0])]
