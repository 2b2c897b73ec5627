"""Each check of the suite as an item of pytest; imports nothing and does nothing unless a server is named."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kruntimes.conformance.report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """The server under test, and the pack of its runtime."""
    group = parser.getgroup("kruntimes conformance")
    group.addoption("--kr-endpoint", metavar="ADDR", help="judge the runtime server at this address")
    group.addoption("--kr-launch", metavar="CMD", help="start this runtime server and judge it")
    group.addoption("--kr-fixtures", metavar="FILE", help="fixture pack of its runtime")
    group.addoption("--kr-token-file", metavar="FILE", help="token of the server at --kr-endpoint")


def _asked(config: pytest.Config) -> bool:
    return bool(config.getoption("--kr-endpoint") or config.getoption("--kr-launch"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks before -k, -m and --deselect choose among all items."""
    if not _asked(config):
        return
    if not config.getoption("--kr-fixtures"):
        raise pytest.UsageError("--kr-endpoint and --kr-launch need --kr-fixtures FILE")
    suite = Suite.from_parent(session, name="conformance", nodeid="conformance")
    checks = list(suite.collect())
    # Said here, since no file was collected that would have: pytest counts what it is told of.
    config.hook.pytest_collectreport(report=pytest.CollectReport(suite.nodeid, "passed", None, [*checks]))
    items.extend(checks)


class Suite(pytest.Collector):
    """All checks that are written, and one pass over the server for those that were chosen."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._report: Report | None = None

    def collect(self) -> Iterator["CheckItem"]:
        """An item for each check."""
        from kruntimes.conformance.catalogue import all_checks

        for check in all_checks().values():
            if check.code is not None:
                yield CheckItem.from_parent(self, name=f"{check.id}-{check.name}", identity=check.id)

    def report(self) -> "Report":
        """What became of every chosen check; the first who asks waits for the whole pass."""
        if self._report is None:
            self._report = asyncio.run(self._run())
        return self._report

    async def _run(self) -> "Report":
        from kruntimes.conformance.engine import Options, run_suite
        from kruntimes.conformance.pack import read_pack
        from kruntimes.conformance.target import Launching, given

        option = self.config.getoption
        chosen = tuple(item.identity for item in self.session.items if isinstance(item, CheckItem))
        launch = option("--kr-launch")
        target = Launching(launch) if launch else given(option("--kr-endpoint"), option("--kr-token-file"))
        return await run_suite(target, read_pack(Path(option("--kr-fixtures"))), Options(run=chosen))


class CheckItem(pytest.Item):
    """One check."""

    def __init__(self, *, identity: str, **fields: Any) -> None:
        super().__init__(**fields)
        self.identity = identity

    def runtest(self) -> None:
        """Pass, fail or skip as the check did."""
        from kruntimes.conformance.report import Verdict

        suite = self.parent
        if not isinstance(suite, Suite):
            raise TypeError("a check belongs to a Suite")
        outcome = next(one for one in suite.report().outcomes if one.check.id == self.identity)
        if outcome.verdict is Verdict.FAILED:
            raise Broken(f"rule: {outcome.check.rule}\nseen: {outcome.why}")
        if outcome.verdict is not Verdict.PASSED:
            pytest.skip(f"{outcome.verdict.value}: {outcome.why}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The rule and what was seen, without a trace of this plugin."""
        if isinstance(excinfo.value, Broken):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it comes from, for pytest's own words."""
        return Path(__file__), None, f"conformance {self.name}"


class Broken(Exception):
    """A check failed."""
