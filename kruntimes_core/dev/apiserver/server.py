"""HTTP: who may come in, where a request goes, how an error looks; no rule of the API lives here."""

import hmac
import logging
from collections import Counter

from aiohttp import web

from kruntimes_core.dev.apiserver import discovery, errors, openapi
from kruntimes_core.dev.apiserver.handlers import Handlers, answer
from kruntimes_core.dev.apiserver.requests import read
from kruntimes_core.dev.apiserver.resources import Object, Registry
from kruntimes_core.dev.apiserver.store import encode

log = logging.getLogger(__name__)
_OPEN = {"/healthz", "/livez", "/readyz"}
_NOT_FOUND = "404 page not found\n"


class Front:
    """The handler of every request."""

    def __init__(self, registry: Registry, handlers: Handlers, token: str) -> None:
        self._registry = registry
        self._handlers = handlers
        self._authorization = f"Bearer {token}".encode()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever happens."""
        try:
            return await self._serve(request)
        except errors.ApiError as error:
            return answer(encode(error.status()), error.code)
        except ConnectionError:
            return web.Response(status=499)  # the client left; no one reads this
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            text = "an error on the server has prevented the request from succeeding"
            return answer(encode(errors.ApiError(500, "InternalError", text).status()), 500)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path in _OPEN:
            return web.Response(text="ok")
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, self._authorization):
            raise errors.unauthorized()
        ask = read(self._registry, request.method, path, request.query)
        if ask is None:
            return self._about(request, path.rstrip("/"))
        place = f"{ask.resource.plural}/{ask.subresource}" if ask.subresource else ask.resource.plural
        agent = request.headers.get("User-Agent", "")
        self._counts[ask.verb, place, agent] += 1
        return await self._handlers.serve(request, ask)

    def _about(self, request: web.BaseRequest, path: str) -> web.Response:
        """The documents about the server itself."""
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=404, text=_NOT_FOUND)
        if path in ("/api", "/apis") and discovery.wants_aggregated(request.headers.get("Accept", "")):
            body = encode(discovery.aggregated(self._registry, core=path == "/api"))
            return web.Response(body=body, headers={"Content-Type": discovery.AGGREGATED})
        found = self._document(path)
        return web.Response(status=404, text=_NOT_FOUND) if found is None else answer(encode(found))

    def _document(self, path: str) -> Object | None:
        parts = path.strip("/").split("/")
        registry = self._registry
        found: Object | None = None
        match parts:
            case ["version"]:
                found = discovery.VERSION
            case ["api"]:
                found = discovery.core_versions()
            case ["apis"]:
                found = discovery.group_list(registry)
            case ["api", version]:
                found = discovery.resource_list(registry, "", version)
            case ["apis", group]:
                found = discovery.group(registry, group)
            case ["apis", group, version]:
                found = discovery.resource_list(registry, group, version)
            case ["openapi", "v2"]:
                found = openapi.swagger(registry)
            case ["openapi", "v3", *rest]:
                found = openapi.document(registry, "/".join(rest)) if rest else openapi.index(registry)
            case ["debug", "requests"]:
                found = {"requests": self._counted()}
        return found

    def _counted(self) -> list[Object]:
        return [
            {"verb": verb, "resource": resource, "userAgent": agent, "count": count}
            for (verb, resource, agent), count in sorted(self._counts.items())
        ]
