"""`kruntimes-conformance`: words in, a table and reports out. Judges nothing itself."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from kruntimes.conformance.catalogue import all_checks, profile_of
from kruntimes.conformance.client import Settings
from kruntimes.conformance.engine import NoServer, Options, run_suite
from kruntimes.conformance.faces import explanation, junit, table
from kruntimes.conformance.pack import FIXTURES, NEEDED, BadPack, Pack, read_pack
from kruntimes.conformance.report import PROFILES, Report
from kruntimes.conformance.target import Launching, Target, given

PROGRAM = "kruntimes-conformance"


class Mistake(Exception):
    """What was asked for cannot be done; the message says what to do instead."""


def main(argv: Sequence[str] | None = None) -> int:
    """0: as it should be. 1: a check failed. 2: nothing could be judged."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"{PROGRAM}: stopped before the end; nothing was judged", file=sys.stderr)
        return 2
    except (Mistake, BadPack, NoServer, OSError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Judges a server by the runtime server protocol."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the checks against a server")
    run.set_defaults(command=_run)
    _add_target(run)
    _add_selection(run)
    run.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report")
    run.add_argument("--json", type=Path, metavar="FILE", help="write a JSON report")
    run.add_argument("--timeout-scale", type=float, default=1.0, metavar="N", help="multiply every wait by N")
    run.add_argument("--no-repeat", action="store_true", help="send idempotent calls once, not twice")
    run.add_argument("--verbose", action="store_true", help="list checks that are not written yet, too")
    commands.add_parser("list", help="list every check").set_defaults(command=_list)
    commands.add_parser("fixtures", help="list what a fixture pack may give").set_defaults(command=_fixtures)
    explain = commands.add_parser("explain", help="tell the rule of a check")
    explain.add_argument("id")
    explain.set_defaults(command=_explain)
    badge = commands.add_parser("badge", help="print the badge line of a JSON report")
    badge.add_argument("json", type=Path)
    badge.set_defaults(command=_badge)
    return parser


def _add_target(run: argparse.ArgumentParser) -> None:
    where = run.add_mutually_exclusive_group(required=True)
    where.add_argument("--endpoint", metavar="ADDR", help="unix:///path or host:port of a server that runs")
    where.add_argument("--launch", metavar="CMD", help="command that serves at KRUNTIMES_ENDPOINT")
    run.add_argument(
        "--fixtures", type=Path, required=True, metavar="FILE", help="fixture pack of the runtime"
    )
    run.add_argument("--token-file", metavar="FILE", help="with --endpoint: the server's token")
    run.add_argument("--workspaces", type=Path, metavar="DIR", help="with --endpoint: the shared directory")
    run.add_argument("--restart-hook", default="", metavar="CMD", help="kills the server and starts it anew")
    run.add_argument(
        "--process-hook", default="", metavar="CMD", help="prints a line per process of the server"
    )


def _add_selection(run: argparse.ArgumentParser) -> None:
    run.add_argument("--profile", default="", metavar="A,B", help=f"only these: {', '.join(PROFILES)}")
    run.add_argument(
        "--run", action="append", default=[], metavar="PATTERN", help="only ids or names like this"
    )
    run.add_argument("--skip", action="append", default=[], metavar="PATTERN", help="not those like this")
    run.add_argument("--known-failing", type=Path, metavar="FILE", help="ids that may fail, and must")


def _run(arguments: argparse.Namespace) -> int:
    options = Options(
        run=tuple(arguments.run) or ("*",),
        skip=tuple(arguments.skip),
        profiles=_profiles(arguments.profile),
        known_failing=known_failing(arguments.known_failing),
        calls=Settings(arguments.timeout_scale, not arguments.no_repeat),
    )
    pack = read_pack(arguments.fixtures)
    report = asyncio.run(_pass(target_of(arguments), pack, options))
    if not report.outcomes:
        raise Mistake("no check is like that; `kruntimes-conformance list` lists them")
    print("\n".join(table(report, arguments.verbose)))
    _write(report, arguments.json, arguments.junit)
    return 1 if report.surprises else 0


async def _pass(target: Target, pack: Pack, options: Options) -> Report:
    """One pass, that ends what it started also when it is told to stop by SIGTERM, as by Ctrl-C."""
    this = asyncio.current_task()
    if this is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await run_suite(target, pack, options)


def target_of(arguments: argparse.Namespace) -> Target:
    """Where the server under test is, by the options of the command line."""
    if arguments.launch:
        return Launching(arguments.launch)
    return given(
        arguments.endpoint,
        arguments.token_file,
        workspaces=arguments.workspaces,
        restart_hook=arguments.restart_hook,
        process_hook=arguments.process_hook,
    )


def known_failing(path: Path | None) -> frozenset[str]:
    """The ids in a file, one a line; what follows a '#' is a remark. Raises Mistake."""
    if path is None:
        return frozenset()
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    ids = frozenset(line for line in lines if line)
    if strange := ids - all_checks().keys():
        raise Mistake(f"{path} names {', '.join(sorted(strange))}; `{PROGRAM} list` lists the ids")
    return ids


def _profiles(text: str) -> frozenset[str]:
    named = frozenset(word.strip() for word in text.split(",") if word.strip())
    if strange := named - set(PROFILES):
        raise Mistake(f"there is no profile {', '.join(sorted(strange))}; there are {', '.join(PROFILES)}")
    return named


def _write(report: Report, as_json: Path | None, as_junit: Path | None) -> None:
    for path in (as_json, as_junit):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    if as_json is not None:
        as_json.write_text(json.dumps(report.as_json(), indent=2) + os.linesep, encoding="utf-8")
    if as_junit is not None:
        as_junit.write_bytes(junit(report))


def _list(_: argparse.Namespace) -> int:
    for one in all_checks().values():
        written = "" if one.code else " (not written yet)"
        print(f"{one.id}  P{one.priority}  {profile_of(one):<9}  {one.name}: {one.rule}{written}")
    return 0


def _fixtures(_: argparse.Namespace) -> int:
    for name, what in FIXTURES.items():
        print(f"{name:<20} {what}{' (Core)' if name in NEEDED else ''}")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    found = all_checks().get(arguments.id.upper())
    if found is None:
        raise Mistake(f"there is no check {arguments.id!r}; `{PROGRAM} list` lists them")
    print("\n".join(explanation(found)))
    return 0


def _badge(arguments: argparse.Namespace) -> int:
    try:
        print(json.loads(arguments.json.read_text(encoding="utf-8"))["badge"])
    except (ValueError, KeyError, TypeError) as error:
        raise Mistake(f"{arguments.json} is no report of `{PROGRAM} run --json`: {error}") from error
    return 0
