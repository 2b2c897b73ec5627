"""What keeps a container's processes together: found out by trying, so that nothing is promised in vain."""

import subprocess

TRY_SECONDS = 10.0
_PID_NAMESPACE = ("--pid", "--fork", "--mount-proc", "--kill-child=KILL")
WRAPPERS: tuple[tuple[str, ...], ...] = (
    ("unshare", *_PID_NAMESPACE, "--"),
    # Without privileges a user namespace comes first; the user stays who he is in it.
    ("unshare", "--user", "--map-current-user", *_PID_NAMESPACE, "--"),
)


def find_wrapper() -> tuple[str, ...]:
    """Return what to put before a program so that it leads a PID namespace; empty where none is allowed."""
    for wrapper in WRAPPERS:
        if _works(wrapper):
            return wrapper
    return ()


def _works(wrapper: tuple[str, ...]) -> bool:
    try:
        done = subprocess.run((*wrapper, "true"), capture_output=True, timeout=TRY_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
