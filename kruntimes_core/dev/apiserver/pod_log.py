"""A container's log as the kubelet left it on disk; it never writes there."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from kruntimes_core.dev.apiserver.errors import ApiError, bad_request
from kruntimes_core.dev.apiserver.requests import Ask
from kruntimes_core.dev.apiserver.resources import Object
from kruntimes_core.dev.apiserver.store import Store
from kruntimes_core.dev.logfiles import former_of, part_of

_CHUNK = 256 * 1024
_LOOK_EVERY = 0.2
_LOOK_AGAIN = 0.01
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class PodLogs:
    """Serves `<data>/pods/<uid>/<container>.log`."""

    def __init__(self, pods: Path, store: Store) -> None:
        self._pods = pods
        self._store = store

    async def serve(self, request: web.BaseRequest, ask: Ask, pod: Object) -> web.StreamResponse:
        """Answer with the log, or with its tail, and with what is added while someone listens."""
        container = _container(pod, ask.query.get("container", ""))
        path = self._pods / pod["metadata"]["uid"] / f"{container}.log"
        if ask.flag("previous"):
            raise bad_request(f'previous terminated container "{container}" not found')
        if not path.is_file() and not ask.flag("follow"):
            name = pod["metadata"]["name"]
            text = f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating'
            raise ApiError(400, "BadRequest", text)
        former = _former(path)
        start = await asyncio.to_thread(_start, path, ask.number("tailLines"))
        end = ask.number("limitBytes")
        response = web.StreamResponse(headers=_TEXT)
        await response.prepare(request)
        if ask.flag("follow") and end is None:
            await self._follow(response, _Place(path, start, former), pod)
        else:
            await self._copy(response, path, start, end)
        await response.write_eof()
        return response

    async def _copy(self, response: web.StreamResponse, path: Path, start: int, limit: int | None) -> None:
        """Send what the file holds from here on."""
        while limit is None or limit > 0:
            chunk = await asyncio.to_thread(_read, path, start, min(_CHUNK, limit or _CHUNK))
            if not chunk:
                break
            await response.write(chunk)
            start += len(chunk)
            limit = None if limit is None else limit - len(chunk)

    async def _follow(self, response: web.StreamResponse, place: "_Place", pod: Object) -> None:
        metadata = pod["metadata"]
        while True:  # ends with the Pod; when the client leaves, the request is cancelled
            entry = self._store.get("/pods", (metadata["namespace"], metadata["name"]))
            here = entry is not None and entry.obj["metadata"]["uid"] == metadata["uid"]
            running = here and entry is not None and _runs(entry.obj)
            chunk = await asyncio.to_thread(_read, place.path, place.start, _CHUNK)
            # After the read, since what was read is of this log only if nobody began it anew meanwhile.
            if part_of(place.path).exists():
                await asyncio.sleep(_LOOK_AGAIN)
            elif (former := _former(place.path)) != place.former:
                # First the rest of what it was.
                await self._copy(response, former_of(place.path), place.start, None)
                place.start, place.former = 0, former
            elif chunk:
                await response.write(chunk)
                place.start += len(chunk)
            elif not running:
                return
            else:
                await asyncio.sleep(_LOOK_EVERY)


@dataclass
class _Place:
    """Where in a log somebody listens; `former` tells one former self of it from the next."""

    path: Path
    start: int
    former: tuple[int, int]


def _former(path: Path) -> tuple[int, int]:
    try:
        found = former_of(path).stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _runs(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _container(pod: Object, asked: str) -> str:
    spec = pod["spec"]
    names = [each["name"] for part in ("containers", "initContainers") for each in spec.get(part) or ()]
    name = pod["metadata"]["name"]
    if asked and asked not in names:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    if asked:
        return asked
    if len(spec["containers"]) > 1:
        shown = " ".join(each["name"] for each in spec["containers"])
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{shown}]")
    return str(names[0])


def _read(path: Path, start: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)
    except FileNotFoundError:
        return b""


def _start(path: Path, lines: int | None) -> int:
    """Where the last lines begin, found from the end."""
    if lines is None or not path.is_file():
        return 0
    with path.open("rb") as file:
        position = file.seek(0, 2)
        if lines == 0:
            return position
        wanted, tail = lines, b""
        while position > 0:
            size = min(_CHUNK, position)
            position -= size
            file.seek(position)
            tail = file.read(size) + tail
            if tail.rstrip(b"\n").count(b"\n") >= wanted:
                break
        kept = tail.splitlines(keepends=True)[-wanted:]
        return position + len(tail) - sum(map(len, kept))
