"""The protocol's bounds, defaults and the cutting of text to them. Pure; never decides about a Run."""

from dataclasses import dataclass
from typing import Final

from kruntimes.runtime.v1.capabilities_pb2 import Limits

KIB: Final = 1024
MIB: Final = 1024 * KIB

NAME_BYTES: Final = 256
REASON_BYTES: Final = 64
PATH_BYTES: Final = 4 * KIB
ONE_STRING_BYTES: Final = 128 * KIB
MAP_BYTES: Final = 8 * KIB
SETTINGS_BYTES: Final = 64 * KIB
SCHEMA_BYTES: Final = 256 * KIB
MESSAGE_BYTES: Final = KIB
ERROR_MESSAGE_BYTES: Final = 4 * KIB
TRACE_BYTES: Final = 32 * KIB
ERROR_METADATA_BYTES: Final = 4 * KIB
OUTPUTS_BYTES: Final = 32 * KIB
VALUE_BYTES: Final = 16 * KIB
TAIL_BYTES: Final = 4 * KIB
CHUNK_BYTES: Final = 64 * KIB
PAGE_BYTES: Final = 2 * MIB - 128 * KIB
PAGE_RUNS: Final = 100
MOST_PAGE_RUNS: Final = 1000
TOMBSTONE_SECONDS: Final = 600.0
TOMBSTONES: Final = 100_000
RETENTION_SECONDS: Final = 3600.0
HEARTBEAT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one server: sizes in bytes, times in seconds."""

    inline: int = 256 * KIB
    stdin: int = 64 * KIB
    args_env: int = 128 * KIB
    channel: int = 16 * MIB
    tombstone: float = TOMBSTONE_SECONDS
    retention: float = RETENTION_SECONDS

    @classmethod
    def of(cls, limits: Limits) -> "Bounds":
        """The author's limits over the protocol's defaults, never past the hard bounds."""
        own = cls()
        ttl = limits.tombstone_ttl.ToTimedelta().total_seconds()
        retention = limits.terminal_retention.ToTimedelta().total_seconds()
        return cls(
            inline=min(limits.inline_payload_bytes or own.inline, MIB),
            stdin=min(limits.stdin_bytes or own.stdin, MIB),
            args_env=min(limits.args_env_bytes or own.args_env, MIB),
            channel=limits.output_channel_bytes or own.channel,
            tombstone=max(ttl, TOMBSTONE_SECONDS),
            retention=retention or RETENTION_SECONDS,
        )

    def limits(self) -> Limits:
        """The same as the message that Handshake carries."""
        limits = Limits(
            inline_payload_bytes=self.inline,
            stdin_bytes=self.stdin,
            args_env_bytes=self.args_env,
            output_channel_bytes=self.channel,
        )
        limits.tombstone_ttl.FromMilliseconds(round(self.tombstone * 1000))
        limits.terminal_retention.FromMilliseconds(round(self.retention * 1000))
        return limits


def fit(text: str, most: int) -> str:
    """`text` as valid UTF-8 of at most `most` bytes; what cannot be written becomes U+FFFD."""
    if text.isascii():
        return text if len(text) <= most else text[:most]
    raw = text.encode("utf-8", "surrogateescape" if _escaped(text) else "replace")
    clean = raw.decode("utf-8", "replace")
    if len(raw := clean.encode()) <= most:
        return clean
    return raw[:most].decode("utf-8", "ignore")


def fit_end(text: str, most: int) -> str:
    """Like `fit`, but of a text that is too long the end is kept."""
    raw = fit(text, len(text) * 4).encode()
    return raw[-most:].decode("utf-8", "ignore")


def _escaped(text: str) -> bool:
    """True when every lone surrogate stands for a raw byte, as os.fsdecode leaves them."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
