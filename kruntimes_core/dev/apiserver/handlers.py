"""The verbs of a resource: each reads its request, asks the store's side, and gives the answer's bytes."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kruntimes_core.clock import Clock
from kruntimes_core.dev.apiserver import bodies, errors, patch, scale, strategic, table
from kruntimes_core.dev.apiserver.pod_log import PodLogs
from kruntimes_core.dev.apiserver.reads import Reads, body_of, list_body, selection
from kruntimes_core.dev.apiserver.requests import Ask
from kruntimes_core.dev.apiserver.resources import Object, Resource
from kruntimes_core.dev.apiserver.store import Entry, Store, encode
from kruntimes_core.dev.apiserver.watch_stream import Watches
from kruntimes_core.dev.apiserver.writes import Change, Options, Place, Writes

JSON = {"Content-Type": "application/json"}


def answer(body: bytes, status: int = 200, warnings: list[str] | None = None) -> web.Response:
    """A JSON answer, with warnings for the user where there are some."""
    response = web.Response(body=body, status=status, headers=JSON)
    for text in warnings or ():
        response.headers.add("Warning", f'299 - "{text}"')
    return response


@dataclass(frozen=True)
class Handlers:
    """The verbs over the parts that do the work."""

    store: Store
    reads: Reads
    writes: Writes
    watches: Watches
    logs: PodLogs
    clock: Clock

    async def serve(self, request: web.BaseRequest, ask: Ask) -> web.StreamResponse:
        """Carry out one request."""
        if ask.subresource:
            return await self._part(request, ask)
        match ask.verb:
            case "get":
                return self._shown(request, ask, self._entry(ask))
            case "list":
                return self._list(request, ask)
            case "watch":
                return await self.watches.serve(request, ask, table.watch_rendering(request, ask, self.clock))
            case "create":
                return await self._create(request, ask)
            case "update" | "patch" if ask.name is not None:
                return await self._change(request, ask)
            case "delete":
                return await self._delete(request, ask)
            case "deletecollection":
                return await self._delete_collection(request, ask)
        raise errors.not_allowed()

    def _place(self, ask: Ask) -> Place:
        assert ask.name is not None
        return Place(ask.resource.kept, ask.namespace, ask.name)

    def _entry(self, ask: Ask) -> Entry:
        place = self._place(ask)
        entry = self.store.get(ask.resource.bucket, place.key)
        if entry is None:
            raise place.not_found()
        return entry

    def _shown(self, request: web.BaseRequest, ask: Ask, entry: Entry, status: int = 200) -> web.Response:
        wanted = table.wanted(request)
        if wanted is not None:
            return answer(table.of_entries(ask.resource, [entry], {}, self._look(wanted)), status)
        return answer(body_of(ask.resource, entry), status)

    def _look(self, part: str) -> table.Look:
        return table.Look(part, self.clock.now().wall)

    def _list(self, request: web.BaseRequest, ask: Ask) -> web.Response:
        page = self.reads.page(ask)
        wanted = table.wanted(request)
        if wanted is not None:
            return answer(table.of_entries(ask.resource, page.entries, page.metadata(), self._look(wanted)))
        return answer(list_body(ask.resource, page))

    async def _create(self, request: web.BaseRequest, ask: Ask) -> web.Response:
        if ask.name is not None:
            raise errors.not_allowed()
        resource = ask.resource
        body = await bodies.read_object(request, resource)
        namespace = _namespace(ask, body)
        warnings = _unknown_fields(ask, body)
        entry = await self.writes.create(resource.kept, namespace, resource.stored(body), ask.dry_run)
        return _warned(self._shown(request, ask, entry, 201), warnings)

    async def _change(self, request: web.BaseRequest, ask: Ask) -> web.Response:
        change, warnings = await self._wanted_change(request, ask)
        options = Options(dry_run=ask.dry_run, put=ask.verb == "update")
        entry = await self.writes.change(self._place(ask), change, ask.subresource, options)
        return _warned(self._shown(request, ask, entry), warnings)

    async def _wanted_change(self, request: web.BaseRequest, ask: Ask) -> tuple[Change, list[str]]:
        resource = ask.resource
        if ask.verb == "update":
            body = await bodies.read_object(request, resource)
            return (lambda _: resource.stored(body)), _unknown_fields(ask, body)
        kind, content = await bodies.read_patch(request, resource)
        warnings: list[str] = []

        def change(old: Object) -> Object:
            shown = resource.shown(old)
            result = patched(kind, shown, content)
            if not isinstance(result, dict):
                raise errors.bad_request("the patched object must be an object")
            warnings.extend(_unknown_fields(ask, result))
            return resource.stored(
                result if _same_kind(result, shown) else bodies.checked_kind(result, resource)
            )

        return change, warnings

    async def _part(self, request: web.BaseRequest, ask: Ask) -> web.StreamResponse:
        resource = ask.resource
        if ask.subresource == "status" and resource.has_status:
            if ask.verb == "get":
                return self._shown(request, ask, self._entry(ask))
            if ask.verb in ("update", "patch"):
                return await self._change(request, ask)
        elif ask.subresource == "scale" and resource.scale is not None:
            if ask.verb == "get":
                return answer(encode(scale.shown(resource, self._entry(ask).obj)))
            if ask.verb in ("update", "patch"):
                return await self._scale(request, ask)
        elif ask.subresource == "log" and resource.has_log:
            if ask.verb == "get":
                return await self.logs.serve(request, ask, self._entry(ask).obj)
        else:
            raise errors.no_such_resource()
        raise errors.not_allowed()

    async def _scale(self, request: web.BaseRequest, ask: Ask) -> web.Response:
        if ask.verb == "update":
            content: Any = await bodies.read_object(request, scale.RESOURCE)
            kind = ""
        else:
            kind, content = await bodies.read_patch(request, ask.resource)

        def change(old: Object) -> Object:
            body = content if not kind else patched(kind, scale.shown(ask.resource, old), content)
            return scale.applied(ask.resource, old, body)

        entry = await self.writes.change(self._place(ask), change, "", Options(dry_run=ask.dry_run))
        return answer(encode(scale.shown(ask.resource, entry.obj)))

    async def _delete_options(self, request: web.BaseRequest, ask: Ask) -> Options:
        body = await bodies.read_delete_options(request)
        policy = ask.query.get("propagationPolicy", "")
        return bodies.delete_options(body, ask.dry_run, ask.number("gracePeriodSeconds"), policy)

    async def _delete(self, request: web.BaseRequest, ask: Ask) -> web.Response:
        options = await self._delete_options(request, ask)
        entry, gone = await self.writes.delete(self._place(ask), options)
        if not gone:
            return answer(body_of(ask.resource, entry))
        return answer(encode(_deleted(ask.resource, entry.obj)))

    async def _delete_collection(self, request: web.BaseRequest, ask: Ask) -> web.Response:
        if ask.resource.namespaced and ask.namespace is None:
            raise errors.not_allowed()
        options = await self._delete_options(request, ask)
        wanted = selection(ask)
        found = [e for e in self.store.listing(ask.resource.bucket, ask.namespace) if wanted.includes(e)]
        for entry in found:
            try:
                await self.writes.delete(Place(ask.resource.kept, ask.namespace, entry.key[1]), options)
            except errors.ApiError as error:
                if error.code != 404:  # another client was first
                    raise
        head = {"apiVersion": ask.resource.api_version, "kind": ask.resource.list_kind}
        version = {"resourceVersion": str(self.store.committed)}
        return answer(
            encode(head | {"metadata": version, "items": [ask.resource.shown(entry.obj) for entry in found]})
        )


def patched(kind: str, old: Object, content: Any) -> Any:
    """What a patch of this type makes of an object."""
    if kind == patch.JSON:
        return patch.apply_json_patch(old, content)
    if not isinstance(content, dict):
        raise errors.bad_request("a merge patch must be an object")
    if kind == patch.STRATEGIC:
        return strategic.merge(old, content)
    return patch.merge(old, content)


def _same_kind(new: Object, old: Object) -> bool:
    return bool(new.get("kind") == old["kind"] and new.get("apiVersion") == old["apiVersion"])


def _namespace(ask: Ask, body: Object) -> str | None:
    resource, named = ask.resource, body.get("metadata", {}).get("namespace")
    if not resource.namespaced:
        return None
    if ask.namespace is None:
        raise errors.not_allowed()
    if named not in (None, "", ask.namespace):
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return ask.namespace


def _unknown_fields(ask: Ask, body: Object) -> list[str]:
    """Warnings about unknown fields, unless a client wants none; an error for one that is strict."""
    asked = ask.query.get("fieldValidation") or "Warn"
    schema = ask.resource.schema
    if asked == "Ignore" or schema is None:
        return []
    texts = [f'unknown field "{path}"' for path in schema.unknown(body)]
    if texts and asked == "Strict":
        kind, version = ask.resource.kind, ask.resource.version
        raise errors.bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: '
            f"strict decoding error: {', '.join(texts)}"
        )
    return texts


def _warned(response: web.Response, warnings: list[str]) -> web.Response:
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def _deleted(resource: Resource, obj: Object) -> Object:
    metadata = obj["metadata"]
    details = {"name": metadata["name"], "group": resource.group, "kind": resource.plural}
    details |= {"uid": metadata["uid"]}
    if not resource.group:
        del details["group"]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
