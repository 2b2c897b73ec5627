"""Functions that run elsewhere: what the decorator makes of one; never pickles anything itself."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from kruntimes import _flow
from kruntimes._defaults import default_client
from kruntimes._errors import KruntimesError
from kruntimes._models import Run, RunOptions, TaskOptions
from kruntimes._window import MapOptions, plan

if TYPE_CHECKING:
    from kruntimes._async_client import AsyncClient
    from kruntimes._async_task import AsyncTask
    from kruntimes._client import Client, Handle
    from kruntimes._payload import Payload

P = ParamSpec("P")
R = TypeVar("R")


class TaskHandle(Generic[R]):
    """One call under way; `run` is the handle of its Run."""

    def __init__(self, run: Handle) -> None:
        self.run = run

    def result(self, timeout: float | None = None) -> R:
        """Wait for what the function returned; raises TaskFailed for what it raised."""
        return cast(R, _flow.task_value(self.run.result(timeout)))

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end, however it is."""
        return self.run.wait(timeout)

    def cancel(self) -> None:
        """Ask for its end."""
        self.run.cancel()

    def __repr__(self) -> str:
        return f"TaskHandle({self.run.namespace}/{self.run.name})"


@dataclass(eq=False)
class Task(Generic[P, R]):
    """A function that can be called here, and by `remote` and `map` in the pool of a Runtime."""

    function: Callable[P, R]
    runtime: str
    run_options: RunOptions
    client: Client | None = None

    def __post_init__(self) -> None:
        functools.update_wrapper(cast(Callable[..., Any], self), self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, as if it were not decorated."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Task[..., R]:
        """Be a method where the function is one: the object travels along."""
        return self if instance is None else replace(self, function=MethodType(self.function, instance))

    def options(self, runtime: str | None = None, **options: Unpack[TaskOptions]) -> Task[P, R]:
        """Return this task with other options."""
        changed = cast(RunOptions, {**self.run_options, **run_options(options)})
        return replace(self, runtime=runtime or self.runtime, run_options=changed)

    @overload
    def on(self, client: Client) -> Task[P, R]: ...

    @overload
    def on(self, client: AsyncClient) -> AsyncTask[P, R]: ...

    def on(self, client: Client | AsyncClient) -> Task[P, R] | AsyncTask[P, R]:
        """Return this task for one client: that of another cluster, or an asynchronous one."""
        from kruntimes._client import Client

        if isinstance(client, Client):
            return replace(self, client=client)
        from kruntimes._async_task import AsyncTask

        return AsyncTask(self, client)

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Call it in the pool; returns at once."""
        options = self.call_options(args, kwargs)
        client = self._ready_client()
        return TaskHandle(client.run(self.runtime, **options))

    def map(self, items: Iterable[Any], **options: Unpack[MapOptions]) -> Iterator[R]:
        """Call it for each item, many at a time, and give what it returns; see MapOptions.

        Items are taken as they are needed. An item that fails ends the map with its error, and that, like
        leaving the loop early, cancels what is under way.
        """
        from kruntimes._map import ThreadedMap
        from kruntimes._progress import Bar

        planned = plan(items, options, Bar())
        client, packed = self._ready_client(), self.payload()

        def begin(item: Any) -> Handle:
            return client.run(self.runtime, **self.call_options((item,), {}, packed))

        def finish(run: Handle) -> Any:
            return _flow.task_value(run.result())

        return client.keeping_watch(
            self.run_options.get("namespace"), ThreadedMap(planned, begin, finish).values
        )

    def payload(self) -> Payload:
        """Return the function, pickled."""
        from kruntimes._payload import pack

        return pack(self.function)

    def call_options(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], packed: Payload | None = None
    ) -> RunOptions:
        """Return the options of the Run for one call; raises for arguments that do not fit the function."""
        import inspect

        refuse_inside_a_run(self)
        try:
            inspect.signature(self.function).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name_of(self.function)}: {error}") from None
        payload = packed or self.payload()
        return cast(RunOptions, {**self.run_options, **payload.options(args, kwargs)})

    def _ready_client(self) -> Client:
        client = self.client or default_client()
        client.check_runtime(self.runtime, namespace=self.run_options.get("namespace"))
        return client


def task(runtime: str = "python", **options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Decorate a function so that it can also run in the pool of `runtime`; options are those of a Run."""
    if callable(runtime):
        raise TypeError("write @kruntimes.task() with parentheses: it takes options")
    given = run_options(options)

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        refuse_unfit(function)
        return Task(function, runtime, given)

    return decorate


def run_options(options: TaskOptions) -> RunOptions:
    """Return the Run's options for a task's; raises TypeError for one that there is not."""
    given: dict[str, Any] = dict(options)
    known = sorted(TaskOptions.__annotations__)
    if unknown := sorted(set(given) - set(known)):
        raise TypeError(f"a task has no option {unknown[0]!r}; it has {', '.join(known)}")
    if "retries" in given:
        given["max_attempts"] = given.pop("retries") + 1
    return cast(RunOptions, given)


def refuse_unfit(function: Callable[..., Any]) -> None:
    """Raise TypeError for what cannot become one value in another process."""
    import inspect

    if not callable(function) or inspect.isclass(function):
        raise TypeError(f"a task is a function, and {function!r} is not")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{name_of(function)} is a generator, and a task returns one value: have it return a list"
        )
    if inspect.iscoroutinefunction(function):
        raise TypeError(
            f"{name_of(function)} is async, and a task is called without a loop: "
            "wrap it in a function that calls asyncio.run"
        )


def refuse_inside_a_run(task: Task[..., Any]) -> None:
    """Raise where we run as a Run ourselves: waiting for a place from within one can lock up."""
    if os.environ.get("KRUNTIMES_RUN_UID"):
        name = name_of(task.function)
        raise KruntimesError(
            f"{name}.remote or {name}.map was called inside a Run, which could wait for its own place "
            f"for ever: call {name}(...) itself there"
        )


def name_of(function: Callable[..., Any]) -> str:
    """Return what people call the function."""
    return getattr(function, "__qualname__", None) or repr(function)
