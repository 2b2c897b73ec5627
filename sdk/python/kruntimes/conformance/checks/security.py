"""SE: who may call, and who may look."""

import stat
from pathlib import Path
from typing import Any, Final

from kruntimes.conformance.catalogue import check
from kruntimes.conformance.checks.health import health
from kruntimes.conformance.client import Refused
from kruntimes.conformance.trial import Trial, duration, expect, fail
from kruntimes.runtime.v1 import runtime_service_pb2 as rpc

_SOCKET_MODE: Final = 0o660


@check("SE-01")
async def socket_mode(trial: Trial) -> None:
    path = Path(trial.server.address.removeprefix("unix:").removeprefix("//"))
    mode = stat.S_IMODE(path.stat().st_mode)
    expect(mode & ~_SOCKET_MODE == 0, f"the socket has mode {mode:04o}; 0660 or tighter is asked for")


@check("SE-03")
async def token(trial: Trial) -> None:
    key = trial.key()
    unary: dict[str, Any] = {
        "Handshake": rpc.HandshakeRequest(),
        "GetServerStatus": rpc.GetServerStatusRequest(),
        "StartRun": rpc.StartRunRequest(key=key),
        "GetRun": rpc.GetRunRequest(key=key),
        "ListRuns": rpc.ListRunsRequest(),
        "CancelRun": rpc.CancelRunRequest(key=key),
        "ForgetRun": rpc.ForgetRunRequest(key=key),
        "RecoverRun": rpc.RecoverRunRequest(key=key),
        # A Drain that is wrong in itself: a server that lets it in must not be lost to the other checks.
        "Drain": rpc.DrainRequest(timeout=duration(-1.0)),
    }
    cursors = [rpc.OutputCursor(channel="stdout")]
    streams = {"Watch": rpc.WatchRequest(), "ReadOutput": rpc.ReadOutputRequest(key=key, cursors=cursors)}
    for wrong in ("", "not-the-token"):
        for method, request in unary.items():
            await _shut(trial, method, trial.client.once(method, request, token=wrong))
        for method, request in streams.items():
            async with trial.client.stream(method, request, token=wrong) as stream:
                await _shut(trial, method, anext(stream))
    await health(trial, "")


async def _shut(trial: Trial, method: str, call: Any) -> None:
    try:
        await trial.within(5.0, call, f"{method} without the token was not answered")
    except Refused as refused:
        expect(refused.code == "UNAUTHENTICATED", f"without the right token {refused}")
        return
    except StopAsyncIteration:
        pass
    fail(f"{method} is served without the right token")
