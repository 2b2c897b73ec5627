"""A fixture pack: what to run on one kind of runtime for each named situation. Runs nothing."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import json_format

from kruntimes.runtime.v1.types_pb2 import RunSpec

# What a runtime can have that no capability of the protocol tells.
PROVISIONS: Final = frozenset({"process", "env", "task", "workspace"})

# Each name, and what its Run has to do. `ready` stands for the line "ready" on stdout.
FIXTURES: Final[Mapping[str, str]] = {
    "noop": "ends well at once",
    "exit_7": "fails; with exit code 7 where there are exit codes",
    "sleep_60": "runs for a minute unless stopped",
    "bad_program": "cannot be loaded",
    "echo_args": "writes each argument and a NUL byte after it to stdout; the suite gives the arguments",
    "print_env": "writes its environment to stdout, a line NAME=VALUE each",
    "cat_stdin": "copies stdin to stdout",
    "crash_signal": "ends by a signal of its own",
    "ignore_term": "says ready, heeds no polite stop, runs for a minute",
    "farewell_on_term": "says ready; at the polite stop writes a line 'farewell' and ends with code 0",
    "wrapper_and_child": "says ready; at the polite stop its parent process ends at once, and a child writes "
    "a line 'farewell' half a second later",
    "orphan_grandchild": "leaves a process with 'kruntimes-orphan' in its command line, that would run for "
    "a minute, and ends well a second later",
    "stdout_stderr_known": "writes a line 'to stdout' to stdout and a line 'to stderr' to stderr",
    "binary_256": "writes the bytes 0 to 255 in order to stdout",
    "flood_10mib": "writes 10,485,760 bytes to stdout as fast as it can",
    "busy_cpu": "computes until stopped",
    "eat_memory": "takes memory until stopped",
    "write_outputs": "leaves two named outputs, 'answer' with the value 42 and 'large' with 30,000 letters",
    "return_json": 'returns the JSON value {"answer": 42}',
    "write_artifacts": "leaves an artifact",
    "try_connect_server": "tries to call its runtime server, and fails if it gets an answer",
}
NEEDED: Final = ("noop", "exit_7", "sleep_60", "bad_program")


class BadPack(ValueError):
    """The file is no fixture pack; the message says where."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Fixtures by name, why others cannot be had, and what the runtime provides besides."""

    specs: Mapping[str, RunSpec]
    cannot: Mapping[str, str]
    provides: frozenset[str] = frozenset()

    def lacks(self, name: str) -> str:
        """Why there is no fixture of this name; empty when there is one."""
        if name in self.specs:
            return ""
        return f"fixture {name}: {self.cannot.get(name, 'not given')}"


class _Loader(yaml.SafeLoader):
    """YAML with `!text`: bytes are base64 in the JSON form of a message, and nobody writes that by hand."""


def _text(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "!text needs a text", node.start_mark)
    return base64.b64encode(loader.construct_scalar(node).encode()).decode()


_Loader.add_constructor("!text", _text)


def read_pack(path: Path) -> Pack:
    """The pack in a YAML file. Raises BadPack and OSError."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise BadPack(f"{path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise BadPack(f"{path} must map names of fixtures to RunSpecs; see `kruntimes-conformance fixtures`")
    return parse_pack(content, str(path))


def parse_pack(content: Mapping[str, Any], where: str) -> Pack:
    """The pack in what YAML made of a file; `where` names it in errors. Raises BadPack."""
    given = dict(content)
    provides = frozenset(given.pop("provides", ()))
    if strange := provides - PROVISIONS:
        raise BadPack(f"{where}: provides knows {', '.join(sorted(PROVISIONS))}, not {', '.join(strange)}")
    specs: dict[str, RunSpec] = {}
    cannot: dict[str, str] = {}
    for name, value in given.items():
        if name not in FIXTURES:
            raise BadPack(
                f"{where}: there is no fixture {name!r}; `kruntimes-conformance fixtures` lists them"
            )
        if isinstance(value, dict) and set(value) == {"cannot"}:
            cannot[name] = str(value["cannot"])
        else:
            specs[name] = _spec(value, f"{where}: {name}")
    if missing := [name for name in NEEDED if name not in specs and name not in cannot]:
        raise BadPack(f"{where}: Core needs {', '.join(missing)}; write 'cannot: REASON' for what cannot be")
    return Pack(specs, cannot, provides)


def _spec(value: object, where: str) -> RunSpec:
    if not isinstance(value, dict):
        raise BadPack(f"{where} must be a RunSpec in JSON form, or 'cannot: REASON'")
    try:
        return json_format.ParseDict(value, RunSpec())
    except json_format.ParseError as error:
        raise BadPack(f"{where}: {error}") from error
