"""krt dev: a whole cluster on this machine, started, shown, ended, wiped."""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kruntimes_core.dev.defaults import NAMES

if TYPE_CHECKING:
    from kruntimes_core.dev.layout import Layout
    from kruntimes_core.dev.reports import News

HELP = "a small cluster on this machine: up, down, status, reset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `krt dev`."""
    parser.add_argument("action", choices=("up", "down", "status", "reset"), help="what to do")
    parser.add_argument("--data", type=Path, metavar="DIR", help="directory that holds everything")
    parser.add_argument(
        "--detach", action="store_true", help="up: return when the default Runtimes are ready"
    )
    parser.add_argument(
        "--port", type=between(0, 65535), default=0, help="up: port of the API server on 127.0.0.1"
    )
    parser.add_argument(
        "--runtimes",
        type=languages,
        metavar="NAMES",
        help=f"up: default Runtimes, comma-separated (default: {','.join(NAMES)})",
    )
    parser.add_argument(
        "--replicas", type=between(0, 100), metavar="N", help="up: members of each of them (default: 1)"
    )
    parser.add_argument(
        "--slots", type=between(1, 1000), metavar="N", help="up: Runs at once in each member (default: 4)"
    )


def between(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number of an option, and refuses one out of bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def languages(text: str) -> tuple[str, ...]:
    """Read the names of default Runtimes, and refuse one that there is not."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(
                f"there is no default Runtime {name!r}; choose of {', '.join(NAMES)}"
            )
    return names


def run(args: argparse.Namespace) -> int:
    """Do what was asked with the data directory's cluster."""
    from kruntimes_core.dev.start_stop import find_layout

    layout = find_layout(args.data)
    if args.action == "up":
        return _up(args, layout)
    if args.action == "status":
        from kruntimes_core.dev.overview import overview

        lines, running = overview(layout)
        print("\n".join(lines))
        return 0 if running else 1
    from kruntimes_core.dev.start_stop import reset, stop

    if args.action == "reset":
        print(f"removed {layout.data}" if reset(layout) else f"nothing to remove in {layout.data}")
        return 0
    pid = stop(layout)
    print(f"ended (was pid {pid}); the data stays in {layout.data}" if pid else "not running")
    return 0


def _up(args: argparse.Namespace, layout: "Layout") -> int:
    from kruntimes_core.cli.failures import UsageError
    from kruntimes_core.cli.output import warn
    from kruntimes_core.dev.defaults import Defaults, PoolSize
    from kruntimes_core.dev.ownlock import holder
    from kruntimes_core.dev.start_stop import Wanted, started, stop

    if not hasattr(os, "pidfd_open"):
        raise UsageError("krt dev up needs Linux 5.3 or newer; elsewhere, use a cluster or a virtual machine")
    pid = holder(layout)
    if pid is not None:
        warn(f"already running on {layout.data} (pid {pid}); `krt dev down` ends it")
        return 0 if args.detach else 1
    defaults = Defaults(args.runtimes or NAMES, PoolSize(args.replicas, args.slots))
    wanted = Wanted(args.port, defaults, args.detach)
    with started(layout, wanted) as news:
        try:
            return _follow(args, layout, news)
        except TimeoutError:
            warn(f"the default Runtimes are not ready yet; see `krt dev status` and {layout.logs}")
            return 1
        except KeyboardInterrupt:
            print("\nending", flush=True)
            stop(layout)
            return 0


def _follow(args: argparse.Namespace, layout: "Layout", news: "Iterator[News]") -> int:
    """Show what the dev process tells: until it is ready when detached, else for as long as it lives."""
    from kruntimes_core.cli.output import warn
    from kruntimes_core.dev.reports import Topic

    reached = failed = False
    for item in news:
        if item.topic is Topic.FAILED:
            warn(item.text)
            failed = True
            continue
        print(item.text, flush=True)
        if item.topic is Topic.READY and not reached:
            reached = True
            print(how_to_reach(args, layout), flush=True)
            if args.detach:
                return 0
    if not reached and not failed:
        warn(f"the dev process ended before it was ready; see {layout.log('dev')}")
    return 0 if reached and not failed else 1


def how_to_reach(args: argparse.Namespace, layout: "Layout") -> str:
    """Return what a person types next."""
    from kruntimes_core.dev.start_stop import default_data

    usual = layout.data == default_data()
    lines = [] if usual else [f"export KUBECONFIG={layout.kubeconfig}"]
    lines += ["krt run -- echo hi"]
    end = "Ctrl-C" if not args.detach else "krt dev down" + ("" if usual else f" --data {layout.data}")
    return "\n".join(["", "ready; try:", *(f"  {line}" for line in lines), f"end it with: {end}"])
