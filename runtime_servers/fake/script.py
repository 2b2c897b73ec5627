"""What a Run of the fake server is told to do. Pure; does none of it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kruntimes.server import Code, End, ErrorKind, RetryAdvice, RunError

# Refusals that a script may ask for, with the code that the protocol gives to them.
REFUSALS: Final[Mapping[str, Code]] = {
    "SERVER_FULL": Code.RESOURCE_EXHAUSTED,
    "DRAINING": Code.UNAVAILABLE,
    "NOT_READY": Code.UNAVAILABLE,
    "EXCEEDS_TOTAL": Code.OUT_OF_RANGE,
    "FIELD_INVALID": Code.INVALID_ARGUMENT,
    "NOT_OFFERED": Code.UNIMPLEMENTED,
}

_TEXT: Final = {"type": "string"}
_SECONDS: Final = {"type": "number", "minimum": 0}
_ERROR: Final = {
    "type": "object",
    "required": ["reason"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": [kind.name for kind in ErrorKind]},
        "reason": _TEXT,
        "message": _TEXT,
        "retry": {"enum": [advice.name for advice in RetryAdvice]},
        "trace": _TEXT,
    },
}

PARAMETERS_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Script of one Run",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "start_for": {**_SECONDS, "description": "Seconds in STARTING."},
        "run_for": {**_SECONDS, "description": "Seconds in RUNNING; left out means none."},
        "hold": {"type": "boolean", "description": "Run until stopped."},
        "exit_code": {"type": "integer", "minimum": 0, "maximum": 255},
        "signal": {"type": "integer", "minimum": 1, "maximum": 64},
        "oom_killed": {"type": "boolean"},
        "stdout": {**_TEXT, "description": "Written when RUNNING begins."},
        "stderr": _TEXT,
        "stdout_base64": {**_TEXT, "description": "Any bytes, after stdout."},
        "flood": {"type": "integer", "minimum": 0, "description": "Bytes of 'x' on stdout."},
        "farewell": {**_TEXT, "description": "Written to stdout at the polite stop."},
        "outputs": {"type": "object", "additionalProperties": _TEXT},
        "large_output": {"type": "integer", "minimum": 0, "description": "Letters of an output 'large'."},
        "value": {"description": "Any JSON value, returned."},
        "fail": {**_ERROR, "description": "End with this error."},
        "load_failure": {"type": "object", "description": "The program cannot be loaded."},
        "refuse": {"enum": sorted(REFUSALS)},
        "refuse_times": {
            "type": "integer",
            "minimum": 1,
            "description": "Refuse a name so often; else always.",
        },
        "ignore_stop": {"type": "boolean", "description": "Only the hard stop ends it."},
        "stop_takes": {**_SECONDS, "description": "Seconds from the polite stop to the end."},
        "kill_takes": {**_SECONDS, "description": "Seconds from the hard stop to the end."},
        "stop_exit_code": {"type": "integer", "description": "Code after the polite stop; else signal 15."},
        "break": {"enum": ["start", "wait"], "description": "Raise a bug there."},
        "exit_server": {"type": "integer", "description": "The server process ends at once with this code."},
    },
}

CONFIG_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Settings of the fake server",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "defaults": {"type": "object", "description": "A script; what a Run leaves out comes from here."},
    },
}


@dataclass(frozen=True, slots=True)
class Script:
    """One Run's script, checked against PARAMETERS_SCHEMA before. Times in seconds; None means not given."""

    start_for: float = 0.0
    run_for: float = 0.0
    hold: bool = False
    stdout: bytes = b""
    stderr: bytes = b""
    flood: int = 0
    farewell: bytes = b""
    load_failure: Mapping[str, str] | None = None
    refuse: str = ""
    refuse_times: int | None = None
    ignore_stop: bool = False
    stop_takes: float = 0.0
    kill_takes: float = 0.0
    stop_exit_code: int | None = None
    bug: str = ""
    exit_server: int | None = None
    end: End = field(default_factory=lambda: End(exit_code=0))

    @classmethod
    def of(cls, given: Mapping[str, Any], value: bytes | None) -> "Script":
        """The script in `given`; `value` is its JSON value as bytes."""
        plain = {name: given[name] for name in _PLAIN if name in given}
        return cls(
            stdout=given.get("stdout", "").encode() + base64.b64decode(given.get("stdout_base64", "")),
            stderr=given.get("stderr", "").encode(),
            farewell=given.get("farewell", "").encode(),
            bug=given.get("break", ""),
            end=_end(given, value),
            **plain,
        )

    def stopped(self, hard: bool) -> End:
        """How it ends after a stop that reached it."""
        if hard:
            return End(signal=9)
        return End(signal=15) if self.stop_exit_code is None else End(exit_code=self.stop_exit_code)


_PLAIN: Final = (
    "start_for",
    "run_for",
    "hold",
    "flood",
    "load_failure",
    "refuse",
    "refuse_times",
    "ignore_stop",
    "stop_takes",
    "kill_takes",
    "stop_exit_code",
    "exit_server",
)


def _outputs(given: Mapping[str, Any]) -> Mapping[str, str]:
    outputs: Mapping[str, str] = given.get("outputs", {})
    return {**outputs, "large": "x" * given["large_output"]} if "large_output" in given else outputs


def _end(given: Mapping[str, Any], value: bytes | None) -> End:
    error = None
    if fail := given.get("fail"):
        error = RunError(
            kind=ErrorKind[fail.get("kind", "USER_CODE")],
            reason=fail["reason"],
            message=fail.get("message", ""),
            retry=RetryAdvice[fail.get("retry", "UNSPECIFIED")],
            trace=fail.get("trace", ""),
        )
    signal = given.get("signal")
    return End(
        exit_code=given.get("exit_code", 0) if signal is None and error is None else given.get("exit_code"),
        signal=signal,
        oom_killed=given.get("oom_killed", False),
        error=error,
        outputs=_outputs(given),
        value=value,
    )
