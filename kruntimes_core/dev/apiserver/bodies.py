"""Request bodies: read, bounded, decoded; it never judges the object in them."""

from typing import Any

import msgspec
import yaml
from aiohttp import web

from kruntimes_core.dev.apiserver import patch, protobuf
from kruntimes_core.dev.apiserver.errors import MAX_BODY, ApiError, bad_request, too_large, unsupported_media
from kruntimes_core.dev.apiserver.resources import Object, Resource
from kruntimes_core.dev.apiserver.store import decode
from kruntimes_core.dev.apiserver.writes import Options

_JSON = "application/json"
_YAML = "application/yaml"
_PATCHES = (patch.JSON, patch.MERGE)


def media_type(request: web.BaseRequest) -> str:
    """The body's type; none means JSON."""
    return request.headers.get("Content-Type", _JSON).split(";")[0].strip().lower()


async def read_bytes(request: web.BaseRequest) -> bytes:
    """The whole body, if it is not over the limit."""
    if (request.content_length or 0) > MAX_BODY:
        raise too_large()
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large() from error


def _decoded(content: bytes, kind: str) -> Any:
    try:
        return yaml.safe_load(content) if kind.endswith("yaml") else decode(content)
    except (msgspec.DecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


async def read_object(request: web.BaseRequest, resource: Resource) -> Object:
    """The object of a create or update, of the resource's own version and kind."""
    kind = media_type(request)
    if kind == protobuf.MEDIA_TYPE and not resource.custom:
        return checked_kind(protobuf.decode(await read_bytes(request)), resource)
    if kind not in (_JSON, _YAML):
        raise unsupported_media((_JSON, _YAML))
    body = _decoded(await read_bytes(request), kind)
    if not isinstance(body, dict):
        raise bad_request("couldn't get version/kind; json parse error: the body must be an object")
    return checked_kind(body, resource)


def checked_kind(body: Object, resource: Resource) -> Object:
    """The body, if it says it is what the address says."""
    if not body.get("kind"):
        raise bad_request("Object 'Kind' is missing in the body")
    version = body.get("apiVersion", "")
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if body["kind"] != resource.kind:
        raise bad_request(
            f"the kind in the data ({body['kind']}) does not match the expected {resource.kind}"
        )
    if not isinstance(body.get("metadata", {}), dict):
        raise bad_request("metadata must be an object")
    return body


async def read_patch(request: web.BaseRequest, resource: Resource) -> tuple[str, Any]:
    """The type of a patch and its content."""
    kind = media_type(request)
    if kind == patch.APPLY:
        raise unsupported_media(_PATCHES, "the embedded API server has no server-side apply")
    accepted = _PATCHES if resource.custom else (*_PATCHES, patch.STRATEGIC)
    if kind not in accepted:
        raise unsupported_media(accepted)
    return kind, _decoded(await read_bytes(request), kind)


async def read_delete_options(request: web.BaseRequest) -> Object:
    """The body of a delete, empty when there is none."""
    content = await read_bytes(request)
    if not content:
        return {}
    body = _decoded(content, media_type(request))
    if not isinstance(body, dict):
        raise bad_request("DeleteOptions must be an object")
    return body


def delete_options(body: Object, dry_run: bool, grace: int | None, policy: str) -> Options:
    """How to delete, from the body and, where it is silent, from the query."""
    preconditions = body.get("preconditions") or {}
    seconds = body.get("gracePeriodSeconds", grace)
    if seconds is not None and (not isinstance(seconds, int) or seconds < 0):
        raise _bad_grace(seconds)
    policy = body.get("propagationPolicy") or policy
    if policy not in ("", "Background", "Foreground", "Orphan"):
        raise bad_request(f'propagationPolicy: Unsupported value: "{policy}"')
    return Options(
        dry_run=dry_run or body.get("dryRun") == ["All"],
        grace=seconds,
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        orphan=policy == "Orphan",
    )


def _bad_grace(seconds: object) -> ApiError:
    return bad_request(f"gracePeriodSeconds: Invalid value: {seconds}: must be zero or more")
