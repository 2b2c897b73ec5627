"""Runs one Python file as `python FILE` would, or a function in it, and notes the exception that ends it.

The arguments are a function's name, empty for none, the file, and what the program gets. It is a single file
for the program's own interpreter: it imports the standard library alone, and only what is needed.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader
from io import TextIOWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, ModuleType, TracebackType
    from typing import Any

# Descriptor of the file in which the server reads what ended the program; it has no name that leads to it.
NOTE = 3
MESSAGE_CHARACTERS = 4096
TRACE_CHARACTERS = 8192
PLAIN = "None, bool, int, float, str, and lists, tuples and dicts of them, with keys that are str"


class NoFunction(Exception):
    """The file has no such function."""


class Note:
    """The note to the server; only the process that began writes it, and only into the file it was given."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pid = os.getpid()
        try:
            os.set_inheritable(descriptor, False)
            self._file: tuple[int, int] | None = _identity(descriptor)
        except OSError:
            self._file = None

    def write(self, kind: str, error: BaseException) -> None:
        """Say that this exception ended the program; a failure here must not change the program's end."""
        try:
            # A program may have closed it, and opened something of its own under this number.
            if self._file is None or os.getpid() != self._pid or _identity(self._descriptor) != self._file:
                return
            import json

            text = json.dumps({"kind": kind, **describe(error)}).encode()
            while text:
                text = text[os.write(self._descriptor, text) :]
        except Exception:
            return


def _identity(descriptor: int) -> tuple[int, int]:
    about = os.fstat(descriptor)
    return about.st_dev, about.st_ino


def describe(error: BaseException) -> dict[str, str]:
    """Return type, message and trace of an exception as text, cut to size."""
    import traceback

    kind = type(error)
    home = kind.__module__
    name = kind.__qualname__ if home in ("builtins", "__main__") else f"{home}.{kind.__qualname__}"
    trace = "".join(traceback.format_exception(kind, error, error.__traceback__))
    try:
        message = str(error)
    except Exception:
        message = "<its message cannot be had: str() of it fails>"
    return {"type": name, "message": message[:MESSAGE_CHARACTERS], "trace": trace[-TRACE_CHARACTERS:]}


def strip(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame that is not of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def load(name: str, path: str) -> tuple[ModuleType, CodeType]:
    """Return the module of this name with the code of a file, which has not run yet, and that code."""
    module = type(sys)(name)
    module.__file__ = path
    module.__loader__ = SourceFileLoader(name, path)
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    sys.modules[name] = module
    return module, code


def call(function: Callable[..., Any], arguments: list[str]) -> bytes:
    """Return the value of a function of the program as JSON text; one that is async runs to its end."""
    value = function(*arguments)
    if hasattr(type(value), "__await__"):
        import asyncio

        value = asyncio.run(_wait(value))
    return to_json(value)


async def _wait(value: Any) -> Any:
    return await value


def to_json(value: Any) -> bytes:
    """Return a value as JSON text. Raises TypeError for one that would not come back as it is."""
    import json

    odd: list[object] = []
    text = json.dumps(value, default=odd.append, skipkeys=True, allow_nan=False, ensure_ascii=False)
    odd_keys = [key for key in _keys(value) if not isinstance(key, str)]
    if odd or odd_keys:
        where = "is" if odd and odd[0] is value else "holds something" if odd else "has a key"
        kind = type([*odd, *odd_keys][0]).__qualname__
        raise TypeError(f"the value {where} of type {kind}; a Run's value is made of {PLAIN}")
    # Half a character becomes \udXXX, which is what JSON calls it too.
    return text.encode("utf-8", "backslashreplace")


def _keys(value: Any) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for part in value:
        yield from _keys(part)


class Program:
    """One program from its load to its end."""

    def __init__(self, function: str, script: str, arguments: list[str], note: Note) -> None:
        self._function = function
        self._script = script
        self._arguments = arguments
        self._note = note
        # Remembered, since a program may change its variables.
        self._result = os.environ.get("KRUNTIMES_RESULT", "")

    def run(self) -> None:
        """Run it; what it raises leaves this method, noted and without a frame of this file."""
        kind = "source"
        try:
            path = os.path.abspath(self._script)
            name = os.path.splitext(os.path.basename(path))[0] if self._function else "__main__"
            module, code = load(name, path)
            kind = "exception"
            exec(code, module.__dict__)
            if self._function:
                function = getattr(module, self._function, None)
                if not callable(function):
                    kind = "source"
                    raise NoFunction(f"there is no function {self._function!r} in {self._script!r}")
                text = call(function, self._arguments)
                with open(self._result, "wb") as file:
                    file.write(text)
        except SystemExit:
            raise
        except BaseException as error:
            trace = error.__traceback__ = strip(error.__traceback__)
            self._note.write(kind, error)
            # To ask it for its message may have raised it anew.
            error.__traceback__ = trace
            show_without_us()
            raise


def show_without_us() -> None:
    """Have the exception under way shown as the program wants it shown, without a frame of this file."""
    show = sys.excepthook

    def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        error.__traceback__ = strip(trace)
        show(kind, error, error.__traceback__)

    sys.excepthook = shown


def main() -> None:
    """Make this process look as if the program had been started alone, and run it."""
    function, script, *arguments = sys.argv[1:]
    sys.argv[:] = [script, *arguments]
    folder = os.path.dirname(os.path.realpath(script))
    # Python has put the folder of this file where that of the program belongs.
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder
    # A Run's output is followed while it comes, and a Run that is killed has no time to flush.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    Program(function, script, arguments, Note(NOTE)).run()


if __name__ == "__main__":
    main()
