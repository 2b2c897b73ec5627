"""Errors of calls: the code as it came, and the server's own word for why."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from kruntimes_core.daemon.server import Code
from kruntimes_core.rpc.errors import CODES, DETAILS, DOMAIN, from_grpc


def error(code: grpc.StatusCode, reason: str = "", domain: str = DOMAIN) -> grpc.aio.AioRpcError:
    status = Status(code=code.value[0], message="words")
    for message in (RetryInfo(), ErrorInfo(reason=reason, domain=domain)):
        packed = Any()
        packed.Pack(message)
        status.details.append(packed)
    trailers = grpc.aio.Metadata(("other", "x"), (DETAILS, status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, "words")


def test_every_code_of_the_wire_but_ok_has_ours() -> None:
    assert set(CODES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
    assert set(CODES.values()) == set(Code)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_code_keeps_its_name(code: grpc.StatusCode) -> None:
    assert from_grpc("GetRun", error(code)).code == code.name


def test_the_servers_reason_is_read_from_the_trailer() -> None:
    failed = from_grpc("StartRun", error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))

    assert failed.reason == "DRAINING"
    assert str(failed) == "StartRun failed with UNAVAILABLE DRAINING: words"


def test_a_reason_in_somebody_elses_words_is_none() -> None:
    assert from_grpc("StartRun", error(grpc.StatusCode.UNAVAILABLE, "DRAINING", "x.y")).reason == ""


def test_a_trailer_that_cannot_be_read_leaves_the_code_to_decide() -> None:
    garbled = grpc.aio.Metadata((DETAILS, b"\xff\xff\xff"))
    failed = from_grpc(
        "GetRun", grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), garbled, None)
    )

    assert str(failed) == "GetRun failed with NOT_FOUND: the server gave no message"
