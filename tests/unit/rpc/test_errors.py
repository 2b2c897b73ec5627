"""Errors of calls: each code means one thing, and details only sharpen it."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from kruntimes_core.rpc.errors import DETAILS, DOMAIN, Meaning, from_grpc

Code = grpc.StatusCode


def error(
    code: grpc.StatusCode, reason: str = "", domain: str = DOMAIN, retry: int = 0
) -> grpc.aio.AioRpcError:
    status = Status(code=code.value[0], message="words")
    if reason:
        status.details.append(packed(ErrorInfo(reason=reason, domain=domain)))
    if retry:
        status.details.append(packed(RetryInfo(retry_delay=Duration(seconds=retry))))
    trailers = grpc.aio.Metadata((DETAILS, status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, "words")


def packed(message: ErrorInfo | RetryInfo) -> Any:
    found = Any()
    found.Pack(message)
    return found


CASES = {
    "a wrong field fails the Run": (error(Code.INVALID_ARGUMENT), Meaning.INVALID),
    "an ability not offered fails the Run": (error(Code.UNIMPLEMENTED), Meaning.INVALID),
    "an unknown key": (error(Code.NOT_FOUND), Meaning.NOT_FOUND),
    "other inputs under the same key": (error(Code.ALREADY_EXISTS, "SPEC_MISMATCH"), Meaning.MISMATCH),
    "a lower attempt still active": (error(Code.FAILED_PRECONDITION), Meaning.PRECONDITION),
    "a tombstone": (error(Code.ABORTED, "RUN_FORGOTTEN"), Meaning.SUPERSEDED),
    "too big for this server": (error(Code.OUT_OF_RANGE), Meaning.NEVER_HERE),
    "full, said by the server": (error(Code.RESOURCE_EXHAUSTED, "SERVER_FULL"), Meaning.REFUSED),
    "full, or a library's bound": (error(Code.RESOURCE_EXHAUSTED), Meaning.TOO_MUCH),
    "full in somebody else's words": (error(Code.RESOURCE_EXHAUSTED, "SERVER_FULL", "x.y"), Meaning.TOO_MUCH),
    "draining, said by the server": (error(Code.UNAVAILABLE, "DRAINING"), Meaning.REFUSED),
    "not ready, said by the server": (error(Code.UNAVAILABLE, "NOT_READY"), Meaning.REFUSED),
    "a broken connection": (error(Code.UNAVAILABLE), Meaning.UNKNOWN),
    "a deadline": (error(Code.DEADLINE_EXCEEDED, "SERVER_FULL"), Meaning.UNKNOWN),
    "a bug in the server": (error(Code.INTERNAL), Meaning.UNKNOWN),
    "a code nobody documents": (error(Code.DATA_LOSS), Meaning.UNKNOWN),
    "a wrong token": (error(Code.UNAUTHENTICATED), Meaning.DENIED),
}


@pytest.mark.parametrize(("failed", "want"), CASES.values(), ids=CASES.keys())
def test_a_code_has_one_meaning(failed: grpc.aio.AioRpcError, want: Meaning) -> None:
    assert from_grpc("StartRun", failed).meaning == want


def test_details_are_read_from_the_trailer() -> None:
    failed = from_grpc("StartRun", error(Code.UNAVAILABLE, "DRAINING", retry=3))

    assert (failed.reason, failed.retry_after) == ("DRAINING", 3.0)
    assert str(failed) == "StartRun failed with UNAVAILABLE DRAINING: words"


def test_a_trailer_that_cannot_be_read_leaves_the_code_to_decide() -> None:
    garbled = grpc.aio.Metadata((DETAILS, b"\xff\xff\xff"))

    failed = from_grpc("GetRun", grpc.aio.AioRpcError(Code.NOT_FOUND, grpc.aio.Metadata(), garbled, None))

    assert (failed.meaning, failed.reason) == (Meaning.NOT_FOUND, "")
    assert str(failed) == "GetRun failed with NOT_FOUND: the server gave no message"
