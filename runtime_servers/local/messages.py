"""What a server and its slot say to one another, as values and bytes. Pure, and light: a slot imports it."""

from collections.abc import Iterable
from typing import Final, NamedTuple

# From the server, each a packet of its own. RUN brings descriptors: the order, stdin, stdout, stderr,
# and for a program that is noted its note.
RUN: Final = b"run"
STOP: Final = b"stop"
KILL: Final = b"kill"

# From the slot: the first field of a report.
READY: Final = b"ready"
BEGAN: Final = b"began"
FAILED: Final = b"failed"
ENDED: Final = b"ended"
GONE: Final = b"gone"

# What a slot failed at before user code ran.
AT_WORKSPACE: Final = "workspace"
AT_FILES: Final = "files"
AT_SCRIPT: Final = "script"
AT_LIMITS: Final = "limits"
AT_FORK: Final = "fork"
AT_PROGRAM: Final = "program"

# What became of a file that a program may write in.
FILE_READ: Final = "read"
FILE_LARGE: Final = "large"
FILE_NOT_PLAIN: Final = "not plain"

# A report must fit into one packet; Linux takes 208 KiB without being asked.
REPORT_BYTES: Final = 128 * 1024
OUTPUTS_BYTES: Final = 64 * 1024
RESULT_BYTES: Final = 16 * 1024

_LENGTH: Final = 4


class Order(NamedTuple):
    """One Run for a slot.

    `workspace` is relative to the directory of workspaces; empty means a private one. `files` are put into
    it first. The first of `scripts` that is a file there runs as `shell script args`; if none is, `program`
    runs, and without a program the order fails. `limits` are names of rlimits without RLIMIT_, and values.
    """

    workspace: str
    files: tuple[tuple[str, bytes], ...]
    shell: tuple[str, ...]
    scripts: tuple[str, ...]
    args: tuple[str, ...]
    program: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, int], ...]


class Failed(NamedTuple):
    """User code never ran: where it failed, the errno, the same in words, and what it was about."""

    at: str
    errno: int
    why: str
    detail: str


class Left(NamedTuple):
    """What a program left in a file that it may write in: what became of the file, and its bytes."""

    became: str
    data: bytes = b""


class Ended(NamedTuple):
    """Nothing of the Run is left running. `code` is its exit code, or minus the signal that ended it;
    `by_itself` means before any stop reached it."""

    code: int
    by_itself: bool
    outputs: Left
    result: Left


class Gone(NamedTuple):
    """The workspace is gone, and the slot free. A `problem` means that something was left in the slot."""

    problem: str


class Began(NamedTuple):
    """User code runs."""

    pid: int


class Ready(NamedTuple):
    """The slot takes a Run."""


Report = Ready | Began | Failed | Ended | Gone


def pack(fields: Iterable[bytes]) -> bytes:
    """Many fields as one, each after its length."""
    return b"".join(len(field).to_bytes(_LENGTH, "big") + field for field in fields)


def unpack(data: bytes) -> list[bytes]:
    """The fields of `pack`; ValueError if the bytes end inside one."""
    fields = []
    at = 0
    while at < len(data):
        end = at + _LENGTH + int.from_bytes(data[at : at + _LENGTH], "big")
        if end > len(data):
            raise ValueError("a message ends inside a field")
        fields.append(data[at + _LENGTH : end])
        at = end
    return fields


def unpack_first(data: bytes) -> bytes:
    """The first field of `pack`, whatever follows; empty for no bytes. ValueError if it is cut short."""
    size = int.from_bytes(data[:_LENGTH], "big")
    if len(data) < size:
        raise ValueError("a message ends inside its first field")
    return data[_LENGTH : _LENGTH + size]


def encode_order(order: Order) -> bytes:
    """An order as bytes."""
    files = (part for path, data in order.files for part in (path.encode(), data))
    variables = (text for pair in order.environment for text in pair)
    limits = (text for name, value in order.limits for text in (name, str(value)))
    return pack(
        (
            order.workspace.encode(),
            pack(files),
            _pack_texts(order.shell),
            _pack_texts(order.scripts),
            _pack_texts(order.args),
            _pack_texts(order.program),
            _pack_texts(variables),
            _pack_texts(limits),
        )
    )


def decode_order(data: bytes) -> Order:
    """The order that `encode_order` wrote."""
    workspace, files, shell, scripts, args, program, variables, limits = unpack(data)
    parts = unpack(files)
    names = _unpack_texts(variables)
    amounts = _unpack_texts(limits)
    return Order(
        workspace=workspace.decode(),
        files=tuple((path.decode(), text) for path, text in zip(parts[::2], parts[1::2], strict=True)),
        shell=_unpack_texts(shell),
        scripts=_unpack_texts(scripts),
        args=_unpack_texts(args),
        program=_unpack_texts(program),
        environment=tuple(zip(names[::2], names[1::2], strict=True)),
        limits=tuple((name, int(text)) for name, text in zip(amounts[::2], amounts[1::2], strict=True)),
    )


def encode_report(report: Report) -> bytes:
    """A report as bytes; what is too long for a packet is cut."""
    match report:
        case Ready():
            return pack((READY,))
        case Began(pid):
            return pack((BEGAN, b"%d" % pid))
        case Failed(at, errno, why, detail):
            return pack((FAILED, at.encode(), b"%d" % errno, _text(why), _text(detail)))
        case Ended(code, by_itself, outputs, result):
            left = (outputs.became.encode(), outputs.data, result.became.encode(), result.data)
            return pack((ENDED, b"%d" % code, b"%d" % by_itself, *left))
        case Gone(problem):
            return pack((GONE, _text(problem)))


def decode_report(data: bytes) -> Report:
    """The report in a packet; ValueError for anything that is none."""
    kind, *fields = unpack(data)
    if kind == READY:
        return Ready()
    if kind == BEGAN:
        return Began(int(fields[0]))
    if kind == FAILED:
        return Failed(fields[0].decode(), int(fields[1]), fields[2].decode(), fields[3].decode())
    if kind == ENDED:
        outputs, result = Left(fields[2].decode(), fields[3]), Left(fields[4].decode(), fields[5])
        return Ended(int(fields[0]), fields[1] == b"1", outputs, result)
    if kind == GONE:
        return Gone(fields[0].decode())
    raise ValueError(f"a slot reported {kind[:16]!r}, which is nothing known")


def _text(text: str) -> bytes:
    return text.encode(errors="replace")[:4096].decode(errors="ignore").encode()


def _pack_texts(texts: Iterable[str]) -> bytes:
    return pack(text.encode() for text in texts)


def _unpack_texts(data: bytes) -> tuple[str, ...]:
    return tuple(field.decode() for field in unpack(data))
