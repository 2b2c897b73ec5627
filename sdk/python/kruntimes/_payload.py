"""What a task's Run carries: packs a function with its arguments; never unpickles anything."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kruntimes import _program
from kruntimes._errors import CannotSend
from kruntimes._models import RunOptions

# In base64 it is a third more; the API server's store takes about 1.5 MiB for one object.
MOST_BYTES = 1 << 20
# Which modules travel by value is one setting for the whole process.
_pickling = threading.Lock()


@dataclass(frozen=True)
class Payload:
    """One function, pickled once for any number of Runs."""

    task: str
    module: str
    function: bytes

    def options(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RunOptions:
        """Return what a Run needs to call the function with these arguments."""
        arguments = _pickle(f"the arguments of {self.task}", (args, dict(kwargs)), self.module)
        size = len(self.function) + len(arguments)
        if size > MOST_BYTES:
            raise CannotSend(
                f"{self.task} and its arguments are {size:,} bytes "
                f"({len(self.function):,} and {len(arguments):,}); "
                f"a Run carries at most {MOST_BYTES:,}: store large data elsewhere and pass where it is"
            )
        return {
            "source": program_text(),
            "args": [self.task, "{}.{}".format(*sys.version_info)],
            "files": {_program.FUNCTION_FILE: self.function, _program.ARGUMENTS_FILE: arguments},
        }


def pack(function: Callable[..., Any]) -> Payload:
    """Pickle a function with its code and whatever it uses of its own module."""
    task = getattr(function, "__qualname__", type(function).__name__)
    module = getattr(function, "__module__", None) or ""
    return Payload(task, module, _pickle(task, function, module))


@functools.cache
def program_text() -> str:
    """Return the text of the program that calls the function."""
    return Path(_program.__file__).read_text(encoding="utf-8")


def _pickle(what: str, value: Any, module: str) -> bytes:
    import cloudpickle

    try:
        with _pickling, _by_value(module):
            data: bytes = cloudpickle.dumps(value)
            return data
    except Exception as error:  # whatever the objects' own ways of being pickled raise
        raise CannotSend(
            f"{what} cannot be pickled: {error}; open files, connections, locks and clients cannot travel: "
            f"open them inside the task"
        ) from error


@contextmanager
def _by_value(name: str) -> Iterator[None]:
    """Have the task's own module travel along, since the member has no such file."""
    import cloudpickle

    module = sys.modules.get(name)
    if module is None or name == "__main__" or name in cloudpickle.list_registry_pickle_by_value():
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)
