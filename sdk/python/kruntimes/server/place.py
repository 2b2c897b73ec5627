"""Where one process serves: the endpoint, its socket file and mode, token, spool, grace. Knows no RPC."""

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc.aio

DEFAULT_ENDPOINT: Final = "unix:///run/kruntimes/runtime.sock"
DEFAULT_GRACE_SECONDS: Final = 30.0
# What is left of the Pod's grace for the daemon to read and store the last results.
RESERVE_SECONDS: Final = 5.0
# Everything but reading and writing by owner and group.
_SOCKET_UMASK: Final = 0o117
_LOOPBACK: Final = ("127.", "localhost:", "[::1]:")


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how one process serves. `grace` is in seconds, from SIGTERM to the end of the process."""

    endpoint: str = DEFAULT_ENDPOINT
    token_file: str | None = None
    spool: str | None = None
    grace: float = DEFAULT_GRACE_SECONDS

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Place":
        """KRUNTIMES_ENDPOINT, KRUNTIMES_TOKEN_FILE, KRUNTIMES_SPOOL, KRUNTIMES_TERMINATION_GRACE_SECONDS.

        Raises ValueError for a grace that is no number, and for TCP without a token or off loopback.
        """
        place = cls(
            endpoint=environment.get("KRUNTIMES_ENDPOINT") or DEFAULT_ENDPOINT,
            token_file=environment.get("KRUNTIMES_TOKEN_FILE") or None,
            spool=environment.get("KRUNTIMES_SPOOL") or None,
            grace=float(environment.get("KRUNTIMES_TERMINATION_GRACE_SECONDS") or DEFAULT_GRACE_SECONDS),
        )
        if place.socket is None and place.token_file is None:
            raise ValueError("KRUNTIMES_ENDPOINT is no UNIX socket, so KRUNTIMES_TOKEN_FILE must be set")
        if place.socket is None and not place.endpoint.startswith(_LOOPBACK):
            raise ValueError("KRUNTIMES_ENDPOINT must be a UNIX socket or a loopback address")
        return place

    @property
    def socket(self) -> Path | None:
        """The path of the UNIX socket; None for another kind of endpoint."""
        if not self.endpoint.startswith("unix:"):
            return None
        return Path(self.endpoint.removeprefix("unix:").removeprefix("//"))

    def bind(self, listener: grpc.aio.Server) -> None:
        """Listen here; a stale socket file is replaced. Raises OSError when the endpoint cannot be had."""
        path = self.socket
        if path is not None:
            _remove_stale(path)
        mask = os.umask(_SOCKET_UMASK)
        try:
            listener.add_insecure_port(self.endpoint)
        except RuntimeError as error:
            raise OSError(f"cannot listen at {self.endpoint}: {error}") from error
        finally:
            os.umask(mask)

    def leave(self) -> None:
        """Remove the socket file."""
        if self.socket is not None:
            self.socket.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(f"{path} exists and is no socket; remove it or choose another KRUNTIMES_ENDPOINT")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(f"another server listens at {path}; stop it or choose another KRUNTIMES_ENDPOINT")
