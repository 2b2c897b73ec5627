"""The Run object that a user's options stand for, and how it is known again. Pure; sends nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kruntimes._models import RunOptions

API_VERSION = "kruntimes.io/v1alpha1"
CLIENT_LABEL = "kruntimes.io/client"
SUBMISSION = "kruntimes.io/submission"
OPTIONS = frozenset(RunOptions.__annotations__)

Object = Mapping[str, Any]


def build_run(runtime: str, options: RunOptions, token: str, mark: str = "") -> dict[str, Any]:
    """Return the Run object for `options`; `token` makes it this one submission, `mark` this client's.

    TypeError for an option that there is not: a Run without the limit that was meant is no small matter.
    """
    if unknown := sorted(set(options) - OPTIONS):
        raise TypeError(f"a Run has no option {unknown[0]!r}; it has {', '.join(sorted(OPTIONS))}")
    metadata: dict[str, Any] = {"name": options.get("name") or f"{runtime}-{token}"}
    if "name" in options:
        metadata["annotations"] = {SUBMISSION: token}
    labels = {**options.get("labels", {}), **({CLIENT_LABEL: mark} if mark else {})}
    if labels:
        metadata["labels"] = labels
    spec = {"runtime": runtime, **_program(options), **_terms(options)}
    return {"apiVersion": API_VERSION, "kind": "Run", "metadata": metadata, "spec": spec}


def is_submission(found: Object, token: str) -> bool:
    """Tell whether a Run object is the one that was built with this token."""
    metadata = found["metadata"]
    marked = (metadata.get("annotations") or {}).get(SUBMISSION) == token
    return marked or str(metadata["name"]).endswith(f"-{token}")


def _program(options: RunOptions) -> dict[str, Any]:
    given: Mapping[str, Any] = options
    spec: dict[str, Any] = {key: given[key] for key in ("stdin", "parameters") if key in given}
    task = {key: given[key] for key in ("entrypoint", "args") if key in given}
    if task:
        spec["mode"] = {"task": task}
    source = {"inline": given.get("source"), "inlinePath": given.get("source_path")}
    if any(value is not None for value in source.values()):
        spec["source"] = _present(source)
    if given.get("files"):
        spec["files"] = [_file(path, content) for path, content in given["files"].items()]
    if given.get("env"):
        spec["env"] = [{"name": name, "value": value} for name, value in given["env"].items()]
    return spec


def _terms(options: RunOptions) -> dict[str, Any]:
    given: Mapping[str, Any] = options
    names = {
        "grace": "terminationGracePeriodSeconds",
        "ttl": "ttlSecondsAfterFinished",
        "priority": "priority",
    }
    spec: dict[str, Any] = {there: given[here] for here, there in names.items() if here in given}
    times = {"timeout": "timeout", "queue_timeout": "queueTimeout"}
    spec |= {there: duration(given[here]) for here, there in times.items() if here in given}
    amounts = {key: given[key] for key in ("cpu", "memory") if key in given} | dict(
        given.get("resources", {})
    )
    if amounts:
        texts = {name: str(amount) for name, amount in amounts.items()}
        # A limit without a request is reserved as well.
        spec["resources"] = {"limits": texts}
    retry = _present(
        {
            "maxAttempts": given.get("max_attempts"),
            "backoff": duration(given["backoff"]) if "backoff" in given else None,
            "retryableReasons": given.get("retryable_reasons"),
        }
    )
    return spec | ({"retryPolicy": retry} if retry else {})


def _present(values: Object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _file(path: str, content: str | bytes) -> dict[str, str]:
    if isinstance(content, str):
        return {"path": path, "text": content}
    if not isinstance(content, bytes | bytearray):
        raise TypeError(f"the file {path!r} is given as {type(content).__name__}; it takes text or bytes")
    return {"path": path, "base64": base64.b64encode(content).decode()}


def duration(value: str | float) -> str:
    """Return a duration as the API writes it; a number counts seconds, and less than a millisecond is one."""
    if isinstance(value, str):
        return value
    millis = round(value * 1000) or (1 if value > 0 else 0)
    return f"{millis // 1000}s" if millis % 1000 == 0 else f"{millis}ms"
