"""From fork to exec of a user's program, in the order that keeps it apart from us; never looks after it."""

import ctypes
import errno
import os
import resource
import signal
from typing import Final, NamedTuple

from runtime_servers.local.messages import AT_LIMITS, AT_PROGRAM, AT_WORKSPACE

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
# Under pressure the kernel takes a program before it takes the slot, and a slot before the server.
_OOM_SCORE: Final = b"500"
# What Python ignores, and a program expects to end it.
_IGNORED: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_STATUS_NO_PROGRAM: Final = 127

_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)


class Start(NamedTuple):
    """What a program starts with; the descriptors given become its 0, 1, 2 and, for a note, 3."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    limits: tuple[tuple[str, int], ...]
    directory: int
    given: tuple[int, ...]


class NotStarted(Exception):
    """User code did not run: where it failed, and the errno."""

    def __init__(self, at: str, number: int) -> None:
        super().__init__(f"{at}: {os.strerror(number)}")
        self.at = at
        self.errno = number


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends. Raises OSError."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int) -> None:
    """Ask for this signal when the parent dies. Raises OSError."""
    _control(_PR_SET_PDEATHSIG, number)


def refuse_new_privileges() -> None:
    """No setuid program gives this process or its descendants anything. Raises OSError."""
    _control(_PR_SET_NO_NEW_PRIVS, 1)


def start(program: Start) -> int:
    """The pid of the program once its exec has succeeded. Raises NotStarted, or OSError without a fork."""
    hear, tell = os.pipe()
    try:
        slot = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(program, slot, tell)
        os.close(tell)
        tell = -1
        # A successful exec closes the other end and says nothing.
        said = os.read(hear, 64)
    finally:
        os.close(hear)
        if tell >= 0:
            os.close(tell)
    if not said:
        return pid
    os.waitpid(pid, 0)
    at, number = said.decode().split()
    raise NotStarted(at, int(number))


def _become(program: Start, slot: int, tell: int) -> None:
    """The child's part; it never returns. This order is the launcher's, and the levels to come keep to it."""
    at = AT_LIMITS
    try:
        os.setsid()
        die_with_parent(signal.SIGKILL)
        if os.getppid() != slot:  # it died before it was watched
            os._exit(_STATUS_NO_PROGRAM)
        # Whatever is in their way is the slot's own, and no business of the program's.
        for number, descriptor in enumerate(program.given):
            os.dup2(descriptor, number)
        for name, value in program.limits:
            _limit(getattr(resource, f"RLIMIT_{name}"), value)
        _score()
        # A cgroup: this process is in its slot's already, since joining one here costs milliseconds.
        # A uid of the slot's own is taken here.
        # no_new_privs holds already, from the slot; Landlock and seccomp, which need it, come here or there.
        for number in _IGNORED:
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        at = AT_WORKSPACE
        os.fchdir(program.directory)
        os.closerange(len(program.given), tell)
        os.closerange(tell + 1, 1 << 20)
        at = AT_PROGRAM
        os.execvpe(program.argv[0], program.argv, program.environment)
    except OSError as error:
        os.write(tell, f"{at} {error.errno}".encode())
    except ValueError:  # a NUL byte, which no program can be given
        os.write(tell, f"{at} {errno.EINVAL}".encode())
    finally:
        os._exit(_STATUS_NO_PROGRAM)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (most, most))


def _score() -> None:
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, _OOM_SCORE)
    except PermissionError:
        return  # it is higher already, which serves as well
    finally:
        os.close(descriptor)


def _control(option: int, value: int) -> None:
    if _prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
