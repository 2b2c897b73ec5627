"""The table of what the kit refuses: reason, code, sentence. Pure; errors.py puts it on the wire."""

from typing import Final, NamedTuple

from kruntimes.server.author import Code, Refusal

RETRY_SECONDS: Final = 0.2


class _Row(NamedTuple):
    code: Code
    sentence: str


_BAD: Final = Code.INVALID_ARGUMENT
_BUSY: Final = frozenset({Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE})

TABLE: Final[dict[str, _Row]] = {
    "UNAUTHENTICATED": _Row(
        Code.UNAUTHENTICATED, "Send the server's token as 'authorization: Bearer TOKEN'."
    ),
    "KEY_INVALID": _Row(_BAD, "key.{field} is wrong: {why}."),
    "FIELD_INVALID": _Row(_BAD, "{field} {why}."),
    "RESOURCE_UNKNOWN": _Row(_BAD, "spec.resources names {name}; this server knows {known}."),
    "PARAMETERS_INVALID": _Row(_BAD, "spec.parameters_json {why}."),
    "CONFIG_INVALID": _Row(_BAD, "config_json {why}."),
    "CONFIG_CHANGED": _Row(
        Code.FAILED_PRECONDITION, "Another config_json was applied already; restart the server to change it."
    ),
    "NOT_OFFERED": _Row(Code.UNIMPLEMENTED, "{field} asks for {what}, which this server does not offer."),
    "ISOLATION_UNAVAILABLE": _Row(
        Code.OUT_OF_RANGE, "spec.isolation asks for level {level}; this server holds {levels}."
    ),
    "EXCEEDS_TOTAL": _Row(
        Code.OUT_OF_RANGE, "The Run asks for {amount} of {name}; this server has {total} in all."
    ),
    "INSTANCE_CHANGED": _Row(
        Code.ABORTED, "The server was restarted since the caller's Handshake; shake hands again."
    ),
    "RUN_UNKNOWN": _Row(Code.NOT_FOUND, "No Run {uid} attempt {attempt} is known here."),
    "RUN_FORGOTTEN": _Row(Code.ABORTED, "Attempt {attempt} of this Run, or a later one, was forgotten here."),
    "RUN_ACTIVE": _Row(Code.FAILED_PRECONDITION, "The Run is not terminal; use mode STOP to end it."),
    "DETACH_UNAVAILABLE": _Row(
        Code.FAILED_PRECONDITION, "Runs of this server end with it, so none can be detached; use mode STOP."
    ),
    "STOP_UNDER_WAY": _Row(Code.UNAVAILABLE, "The work is being stopped and is not gone yet; ask again."),
    "SPEC_MISMATCH": _Row(
        Code.ALREADY_EXISTS, "This key is known with another spec_digest; are there two writers?"
    ),
    "ATTEMPT_SUPERSEDED": _Row(Code.ABORTED, "Attempt {attempt} of this Run is known here and is later."),
    "PREVIOUS_ATTEMPT_ACTIVE": _Row(
        Code.FAILED_PRECONDITION,
        "Attempt {attempt} of this Run is still active here; forget it with mode STOP.",
    ),
    "DRAINING": _Row(Code.UNAVAILABLE, "The server takes no new Runs; use another member."),
    "SERVER_FULL": _Row(Code.RESOURCE_EXHAUSTED, "{why}"),
    "TOO_MANY_STREAMS": _Row(Code.RESOURCE_EXHAUSTED, "{most} output streams are open; close some."),
    "STREAM_REPLACED": _Row(Code.ABORTED, "A newer Watch took this stream's place."),
    "SERVER_ENDS": _Row(Code.UNAVAILABLE, "The server ends now."),
    "CHANNEL_UNKNOWN": _Row(Code.NOT_FOUND, "This Run has no channel {channel}; it has {known}."),
    "OFFSET_PAST_END": _Row(
        Code.OUT_OF_RANGE, "Channel {channel} ends at {end}; offset {offset} is past it."
    ),
}


def refusal(reason: str, **facts: object) -> Refusal:
    """The refusal of this reason, its sentence filled in with `facts`; a reason not in the table is a bug."""
    row = TABLE[reason]
    retry_after = RETRY_SECONDS if row.code in _BUSY else None
    return Refusal(row.code, reason, row.sentence.format_map(facts), retry_after)
