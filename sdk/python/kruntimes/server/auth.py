"""Who may call: whoever holds the token. Reads the token file once; never logs it."""

import asyncio
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kruntimes.server.refusals import refusal

HEADER: Final = "authorization"
SCHEME: Final = b"Bearer "
WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


class Door:
    """Lets calls with the right token in; without a token, every call."""

    def __init__(self, token: str | None) -> None:
        self._wanted = None if token is None else SCHEME + token.encode()

    def check(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Refuse UNAUTHENTICATED a call whose metadata lacks the token; compares in constant time."""
        if self._wanted is None:
            return
        for name, value in metadata or ():
            if name == HEADER:
                given = value if isinstance(value, bytes) else value.encode()
                if hmac.compare_digest(given, self._wanted):
                    return
        raise refusal("UNAUTHENTICATED")


async def read_token(path: str | None, wait: float = WAIT_SECONDS) -> str | None:
    """The token in the file, or None without a path.

    The daemon writes the file, maybe after this process began: waits for it at most `wait` seconds, then
    raises TimeoutError. An empty file raises ValueError.
    """
    if path is None:
        return None
    file = Path(path)
    try:
        async with asyncio.timeout(wait):
            while not file.exists():
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"no token file at {path} after {wait} s; does the daemon run?") from error
    token = file.read_text(encoding="ascii").strip()
    if not token:
        raise ValueError(f"the token file {path} is empty; remove it so that the daemon writes it again")
    return token
