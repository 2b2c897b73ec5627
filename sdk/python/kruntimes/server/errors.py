"""Refusals as gRPC status codes with details; the only place that knows both. Decides nothing."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from kruntimes.server.author import Code, Refusal
from kruntimes.server.bounds import MESSAGE_BYTES, fit

DOMAIN: Final = "runtime.kruntimes.io"
DETAILS_KEY: Final = "grpc-status-details-bin"

CODES: Final[Mapping[Code, grpc.StatusCode]] = {code: grpc.StatusCode[code.value] for code in Code}


async def abort(context: grpc.aio.ServicerContext[Any, Any], refused: Refusal) -> NoReturn:
    """End the call with the code of the refusal, an ErrorInfo and, where it says when, a RetryInfo."""
    message = fit(refused.message, MESSAGE_BYTES)  # details travel as headers, which are bounded to 8 KiB
    status = Status(code=CODES[refused.code].value[0], message=message)
    info = AnyMessage()
    info.Pack(ErrorInfo(reason=refused.reason, domain=DOMAIN))
    status.details.append(info)
    if refused.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(refused.retry_after * 1000))
        retry = AnyMessage()
        retry.Pack(RetryInfo(retry_delay=delay))
        status.details.append(retry)
    trailer = ((DETAILS_KEY, status.SerializeToString()),)
    await context.abort(CODES[refused.code], message, trailer)
    raise AssertionError("abort returned")
