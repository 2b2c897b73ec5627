"""Makes the token that daemon and runtime server share; never shows it."""

import os
import secrets


def share_token(path: str) -> str:
    """The token in the file; one is made, readable by its owner alone, if the file is not there yet."""
    try:
        return _read(path)
    except FileNotFoundError:
        _make(path)
    return _read(path)


def _make(path: str) -> None:
    """Make the file appear whole; if somebody made one meanwhile, theirs stays."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    part = f"{path}.{os.getpid()}.{secrets.token_hex(4)}"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_hex(32))
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        os.unlink(part)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        token = file.read().strip()
    if not token:
        raise ValueError(f"the token file {path} is empty; remove it and start again")
    return token
