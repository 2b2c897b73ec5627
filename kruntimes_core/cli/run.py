"""krt run: creates a Run, shows its output as it comes, and ends as it did."""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from kruntimes_core.cli.failures import UsageError

HELP = "run a program in a warm pool, and end as it ends"
FAILURE = 125


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `krt run`."""
    parser.add_argument("source", nargs="?", metavar="FILE", help="program text; after -- come its arguments")
    parser.add_argument("--runtime", default="bash", help="Runtime whose pool runs it (default: bash)")
    parser.add_argument("--entrypoint", help="what to enter, e.g. a file of the Run, or :FUNCTION for python")
    parser.add_argument("--name", help="name of the Run; made up when absent")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="environment variable"
    )
    parser.add_argument(
        "--file", action="append", default=[], metavar="PATH[=TARGET]", help="file to take along"
    )
    parser.add_argument("--stdin", metavar="FILE", help="standard input of the program; - is our own")
    parser.add_argument("--cpu", help="cores, e.g. 0.5 or 500m")
    parser.add_argument("--memory", help="memory, e.g. 128Mi")
    parser.add_argument("--timeout", help="time the program may take, e.g. 1.5s or 2m30s")
    parser.add_argument(
        "--retry", type=int, metavar="N", help="try up to N more times when the program fails"
    )
    parser.add_argument("--priority", type=int, help="higher goes first")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=JSON", help="Runtime parameter")
    parser.add_argument("--detach", action="store_true", help="print the Run's name and do not wait")
    parser.add_argument("-o", "--output", choices=("json", "yaml", "name"), help="print the Run instead")


def run(args: argparse.Namespace) -> int:
    """Create the Run and follow it to its end."""
    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.endings import exit_code, is_worth_a_word
    from kruntimes_core.cli.live import Live
    from kruntimes_core.cli.output import object_name, warn, write_object

    options = options_of(args)
    with connect(args) as client:
        start = client.submit if args.detach else client.run
        handle = start(args.runtime, **options)
        if args.detach:
            found = handle.status().object
            write_object(found, args.output) if args.output else print(f"{object_name(found)} created")
            return 0
        live = Live(handle) if not args.output else None
        interrupted = _wait(handle, live)
        run = handle.wait(0)
        if live is not None:
            live.finish()
    if run.result is None:
        raise AssertionError("a Run that has ended has a result")
    if args.output:
        write_object(run.object, args.output)
    if is_worth_a_word(run.result):
        from kruntimes._flow import describe

        warn(f"Run {run.name} {describe(run.result)}")
    return 128 + signal.SIGINT if interrupted else exit_code(run.result)


def _wait(handle: Any, live: Any) -> bool:
    """Wait for the end; Ctrl-C cancels the Run, a second one leaves it. True when it was cancelled so."""
    from kruntimes_core.cli.output import warn
    from kruntimes_core.cli.patience import ended_soon, wait_telling

    try:
        if not ended_soon(handle):
            if live is not None:
                live.begin()
            wait_telling(handle)
        return False
    except KeyboardInterrupt:
        warn(f"cancelling Run {handle.name}; Ctrl-C once more does not wait for its end")
        handle.cancel()
        handle.wait()
        return True


def options_of(args: argparse.Namespace) -> Any:
    """Return the Run's options as the SDK takes them."""
    if args.source is None and args.entrypoint is None and not args.rest:
        raise UsageError("nothing to run: name a FILE, or put a command line after --")
    options: dict[str, Any] = {}
    if args.source is not None:
        options |= {"source": read_text(args.source, "a program"), "source_path": Path(args.source).name}
    if args.rest:
        options["args"] = args.rest
    plain = ("name", "entrypoint", "cpu", "memory", "timeout", "priority")
    options |= {key: getattr(args, key) for key in plain if getattr(args, key) is not None}
    if args.retry is not None:
        options["max_attempts"] = args.retry + 1
    if args.env:
        options["env"] = dict(pair("--env", text) for text in args.env)
    if args.file:
        options["files"] = dict(read_file(text) for text in args.file)
    if args.stdin is not None:
        options["stdin"] = sys.stdin.read() if args.stdin == "-" else read_text(args.stdin, "standard input")
    if args.param:
        options["parameters"] = dict(parameter(text) for text in args.param)
    return options


def pair(option: str, text: str) -> tuple[str, str]:
    """Return the two sides of NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{option} {text}: write it as NAME=VALUE")
    return name, value


def parameter(text: str) -> tuple[str, Any]:
    """Return the name and the value of NAME=JSON."""
    name, value = pair("--param", text)
    try:
        return name, json.loads(value)
    except ValueError:
        raise UsageError(
            f"--param {text}: the value is not JSON; a text needs quotes: '{name}=\"{value}\"'"
        ) from None


def read_file(text: str) -> tuple[str, str | bytes]:
    """Return the target path and the content of PATH[=TARGET]."""
    path, _, target = text.partition("=")
    content = Path(path).read_bytes()
    try:
        return target or Path(path).name, content.decode()
    except UnicodeDecodeError:
        return target or Path(path).name, content


def read_text(path: str, what: str) -> str:
    """Return the text of a file."""
    try:
        return Path(path).read_bytes().decode()
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is not text, and {what} must be; take it along with --file instead"
        ) from None
