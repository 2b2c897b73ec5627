"""What this machine gives its Pods: an environment, and the way to the API server; starts nothing."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from kruntimes.kubeconfig import ClusterAccess

from kruntimes_core.dev.layout import Layout
from kruntimes_core.dev.podspec import Surroundings

NODE = "kruntimes-dev"
# What a program needs of this process's own environment to find its modules and its words.
KEPT = ("LANG", "LC_ALL", "TZ", "PYTHONPATH", "KRUNTIMES_LOG_LEVEL")


def surroundings_of(layout: Layout, uid: str, access: ClusterAccess) -> Surroundings:
    """Return what the Pod of this UID finds here."""
    address = urlsplit(access.server)
    authorization = access.credential.authorization() or ""
    return Surroundings(
        directory=lambda name, memory: str(layout.volume(uid, name, memory=memory)),
        env={
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "PATH": search_path(layout),
            "HOME": str(layout.pod(uid) / "home"),
            "TMPDIR": str(layout.pod(uid) / "tmp"),
        },
        api_env={
            "KUBERNETES_SERVICE_HOST": address.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(address.port or 443),
        },
        token=authorization.removeprefix("Bearer "),
        ca=access.ca or "",
        node=NODE,
    )


def search_path(layout: Layout) -> str:
    """Return a PATH on which `python` is the interpreter that runs this."""
    own = [str(Path(sys.executable).parent)]
    if not (Path(sys.executable).parent / "python").exists():
        own.insert(0, str(layout.data / "bin"))
    return os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])


def make_python(layout: Layout) -> None:
    """Where the interpreter is not called `python`, make a command of that name that is it."""
    if (Path(sys.executable).parent / "python").exists():
        return
    command = layout.data / "bin" / "python"
    command.parent.mkdir(exist_ok=True)
    # Not a link: a virtual environment is found by the path it is called by.
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    command.chmod(0o755)
