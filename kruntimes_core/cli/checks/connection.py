"""Whether krt reaches a cluster, and finds there what it needs; it only reads, and creates nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kruntimes import ApiError, Client, KruntimesError, NotFound
from kruntimes._wire import Request, to_json

from kruntimes_core.cli.checks.finding import Finding, Level
from kruntimes_core.cli.remedies import remedy
from kruntimes_core.clock import SystemClock

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# What `krt run`, `logs`, `why` and `cancel` ask for.
RIGHTS = (
    ("create", "kruntimes.io", "runs", ""),
    ("patch", "kruntimes.io", "runs", ""),
    ("list", "kruntimes.io", "runtimes", ""),
    ("list", "coordination.k8s.io", "leases", ""),
    ("get", "", "pods", "log"),
)


def check_connection(client: Client) -> Iterator[Finding]:
    """Yield what is found, and stop where nothing further can be seen."""
    try:
        version = client.ask(Request("GET", "/version"))
    except KruntimesError as error:
        yield Finding(Level.FAIL, "server", str(error), remedy(error) or "krt dev up")
        return
    yield Finding(Level.OK, "server", f"answers, version {version.get('gitVersion', 'unknown')}")
    found = list(_definitions(client))
    yield from found
    yield _rights(client)
    if all(finding.level is not Level.FAIL for finding in found):
        yield from _members(client)


def _definitions(client: Client) -> Iterator[Finding]:
    from kruntimes_core.dev.crds import load_crds

    for ours in load_crds():
        name = str(ours["metadata"]["name"])
        install = "helm install kruntimes-crds charts/kruntimes-crds"
        try:
            theirs = client.ask(Request("GET", f"{CRDS}/{name}"))
        except NotFound:
            yield Finding(Level.FAIL, f"resource {name}", "is not installed", install)
        except KruntimesError as error:
            yield Finding(Level.WARN, f"resource {name}", f"could not be looked at: {error}", remedy(error))
        else:
            yield compare(name, ours, theirs)


def compare(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Finding:
    """Return whether an installed definition has all the fields of ours."""
    about = f"resource {name}"
    missing = sorted(_fields(ours) - _fields(theirs))
    if missing:
        seen = f"is another version than ours: it lacks {', '.join(missing[:3])}"
        return Finding(Level.WARN, about, seen, "helm upgrade kruntimes-crds charts/kruntimes-crds")
    return Finding(Level.OK, about, f"installed, {ours['spec']['versions'][0]['name']}, with all our fields")


def _fields(definition: Mapping[str, Any]) -> frozenset[str]:
    found: set[str] = set()
    for version in definition["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        found |= _names(schema, str(version["name"]))
    return frozenset(found)


def _names(schema: Mapping[str, Any], path: str) -> set[str]:
    inner = dict(schema.get("properties") or {})
    if isinstance(schema.get("items"), Mapping):
        inner["[]"] = schema["items"]
    found = {f"{path}.{name}" for name in inner}
    for name, value in inner.items():
        found |= _names(value, f"{path}.{name}")
    return found


def _rights(client: Client) -> Finding:
    """Ask the server what we may do; it decides, nothing is tried."""
    refused = []
    for verb, group, resource, part in RIGHTS:
        where = {"namespace": client.namespace, "verb": verb, "group": group, "resource": resource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": where | ({"subresource": part} if part else {})},
        }
        try:
            answer = client.ask(Request("POST", REVIEWS, body=to_json(body)))
        except ApiError as error:
            seen = f"the server does not tell what we may do ({error}); nothing was tried"
            return Finding(Level.WARN, "rights", seen, "try `krt run -- true`")
        if not (answer.get("status") or {}).get("allowed"):
            refused.append(f"{verb} {resource}" + (f"/{part}" if part else ""))
    if refused:
        seen = f"in namespace {client.namespace} we may not: {', '.join(refused)}"
        return Finding(
            Level.FAIL, "rights", seen, "ask who gives rights in this namespace, or take another -n"
        )
    return Finding(Level.OK, "rights", f"all that krt asks for in namespace {client.namespace}")


def _members(client: Client) -> Iterator[Finding]:
    from kruntimes_core.cli.snapshot import read_snapshot
    from kruntimes_core.scheduling.books import open_books
    from kruntimes_core.scheduling.usage import usage

    try:
        uses = usage(open_books(read_snapshot(client, client.namespace), SystemClock().now()))
    except KruntimesError as error:
        yield Finding(Level.WARN, "Runtimes", f"could not be looked at: {error}", remedy(error))
        return
    there = [use for use in uses if use.exists]
    if not there:
        yield Finding(Level.WARN, "Runtimes", f"none in namespace {client.namespace}", "krt apply -f FILE")
    for use in there:
        seen = f"{use.ready} of {len(use.members)} members ready, {use.waiting} Runs wait"
        level = Level.OK if use.ready else Level.WARN
        do = "" if use.ready else f"kubectl get pods -l kruntimes.io/runtime={use.name}"
        yield Finding(level, f"Runtime {use.name}", seen, do)
