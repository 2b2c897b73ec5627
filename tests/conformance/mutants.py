"""The table of mutants: which rule each breaks, and exactly which checks must fail for it."""

from dataclasses import dataclass

from tests.conformance import starting, telling
from tests.conformance.proxy import Proxy


@dataclass(frozen=True)
class Mutant:
    """One broken rule. More than one check fails only where rules hang together; `why` says how."""

    kind: type[Proxy]
    checks: frozenset[str]
    why: str = ""

    @property
    def name(self) -> str:
        return self.kind.__name__


def _mutant(kind: type[Proxy], *checks: str, why: str = "") -> Mutant:
    return Mutant(kind, frozenset(checks), why)


MUTANTS = (
    _mutant(telling.InstanceChanges, "HS-02"),
    _mutant(telling.RecoveryPretended, "HS-07"),
    _mutant(telling.OtherInstanceShown, "HS-13"),
    _mutant(telling.StatusRevisionFalls, "HL-05"),
    _mutant(
        starting.DuplicatesRunTwice,
        "ST-02",
        "ST-03",
        "ST-05",
        "ST-19",
        why="all four send a StartRun twice",
    ),
    _mutant(starting.DigestIgnored, "ST-04"),
    _mutant(
        starting.LowerAttemptTaken,
        "ST-06",
        "ST-19",
        why="ST-19 asks which refusal comes first for a lower attempt with a bad spec",
    ),
    _mutant(starting.ActiveAttemptStopped, "ST-07"),
    _mutant(
        starting.InstanceIgnored,
        "ST-09",
        "ST-19",
        "ST-20",
        why="the order of checks begins with the instance, and ST-20 takes it as one of its refusals",
    ),
    _mutant(starting.AttachmentsLeftOut, "ST-12"),
    _mutant(starting.UnknownFieldsRefused, "ST-16"),
    _mutant(starting.RefusalRemembered, "ST-20"),
    _mutant(telling.TimesOutOfOrder, "LC-01"),
    _mutant(telling.WrongExitCode, "LC-02"),
    _mutant(telling.SignalShownAsCode, "LC-03"),
    _mutant(telling.AdviceMissing, "LC-04"),
    _mutant(telling.TerminalChanges, "LC-05"),
    _mutant(telling.RevisionStays, "LC-07"),
    _mutant(telling.ResultBeforeTheEnd, "LC-08"),
    _mutant(telling.SnapshotEndMiscounts, "WA-01"),
    _mutant(telling.ActiveRunsComeLate, "WA-02"),
    _mutant(telling.OldSnapshotComesLast, "WA-05"),
    _mutant(telling.NoHeartbeat, "WA-08"),
    _mutant(telling.NewestStreamRefused, "WA-11"),
    _mutant(telling.NoStartTime, "WA-12"),
    _mutant(telling.OutputIsNews, "WA-15"),
    _mutant(telling.PagesOverlap, "GL-03"),
    _mutant(telling.PagesTooLarge, "GL-06"),
    _mutant(telling.ReasonDropped, "CA-01"),
    _mutant(
        telling.CancelWaits, "CA-02", "CA-11", why="the slow stop of CA-11 is a cancel that does not answer"
    ),
    _mutant(
        telling.NeverPolite,
        "CA-03",
        "CA-11",
        "CA-12",
        why="without the polite stop there is neither a slow one nor one that is answered with code 0",
    ),
    _mutant(telling.UnknownCancelled, "CA-09"),
    _mutant(telling.ZeroAfterStopIsSuccess, "CA-12"),
    _mutant(starting.ActiveForgotten, "FO-02"),
    _mutant(
        starting.UnknownNotForgotten,
        "FO-04",
        "FO-06",
        "RO-08",
        why="FO-06 forgets an unknown key, and ForgetRun has no NOT_FOUND in the table of errors",
    ),
    _mutant(
        starting.NoTombstone,
        "FO-03",
        "FO-05",
        "FO-06",
        "FO-11",
        "ST-06",
        why="all of them forget and start again",
    ),
    _mutant(starting.NoTombstoneForUnseen, "FO-06"),
    _mutant(
        starting.CapacityKept, "FO-08", "ST-19", why="ST-19 fills a server that still holds a Run of its own"
    ),
    _mutant(
        starting.TombstoneOfOneAttempt,
        "FO-11",
        "ST-06",
        why="both forget a higher attempt and start a lower one",
    ),
    _mutant(telling.BytesMadeText, "OU-02", "OU-03", why="OU-03 reads on in the middle of the same bytes"),
    _mutant(telling.ResumeSkipsAByte, "OU-03"),
    _mutant(telling.EndMiscounts, "OU-05"),
    _mutant(telling.NoEndMarkers, "OU-06"),
    _mutant(telling.PastTheEndIsFine, "OU-07"),
    _mutant(telling.TailIsNotTheEnd, "OU-19"),
    _mutant(
        starting.TimeLimitIgnored, "TI-01", "TI-02", "TI-04", why="one clock holds all limits of execution"
    ),
    _mutant(starting.DaemonTimeoutIgnored, "TI-08"),
    _mutant(telling.EverythingFree, "RC-01"),
    _mutant(starting.UnknownResourceTaken, "RC-04", "ST-20", why="ST-20 takes it as one of its refusals"),
    _mutant(starting.FullTakesMore, "RC-02", "RC-05", why="RC-05 is the same with many callers at once"),
    _mutant(starting.NeverFitsIsFull, "RC-03"),
    _mutant(starting.DrainTakesRuns, "DR-01"),
    _mutant(telling.DrainedWithoutAdvice, "DR-03"),
    _mutant(telling.OpenSocket, "SE-01"),
    _mutant(starting.TokenIgnored, "SE-03"),
    _mutant(telling.UnlistedCode, "RO-08"),
)
