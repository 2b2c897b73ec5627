"""Requests are counted as the API server itself counts them."""

from pathlib import Path

import msgspec
import pytest

from kruntimes_core.kube.client import Client, Request
from tests.perf.meter import AuditLog, OwnCount


class Answering(Client):
    """A client whose every request has one answer."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def send(self, request: Request, timeout: float | None = None) -> bytes:
        return self._answer


async def test_a_real_server_counts_in_its_audit_log(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    verbs = ["create", "patch", "patch", "delete", "get"]
    log.write_bytes(
        b"".join(msgspec.json.encode({"verb": verb}) + b"\n" for verb in verbs) + b'{"verb": "cre'
    )
    assert await AuditLog(Answering(b""), log).writes_on_runs() == 4


async def test_a_real_server_counts_all_requests_in_its_metrics() -> None:
    metrics = (
        b"# TYPE apiserver_request_total counter\n"
        b'apiserver_request_total{code="200",verb="GET"} 7\n'
        b'apiserver_request_total{code="201",verb="POST"} 1e+02\n'
        b'apiserver_request_terminations_total{code="503"} 5\n'
    )
    assert await AuditLog(Answering(metrics), Path("none")).requests() == 107


ROWS = [
    {"verb": "create", "resource": "runs", "count": 3},
    {"verb": "patch", "resource": "runs/status", "count": 6},
    {"verb": "watch", "resource": "runs", "count": 2},
    {"verb": "update", "resource": "leases", "count": 9},
]


@pytest.mark.parametrize(("question", "want"), [("writes_on_runs", 9), ("requests", 20)])
async def test_the_embedded_server_counts_by_itself(question: str, want: int) -> None:
    meter = OwnCount(Answering(msgspec.json.encode({"requests": ROWS})))
    assert await getattr(meter, question)() == want
