"""Where everything of one embedded control plane lies on disk; makes, reads and removes no file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

# struct sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_LIMIT = 107
# Longest path under the socket directory: /<pod>/kruntimes-run/runtime.sock, and some room for other names.
SOCKET_ROOM = len("/") + 12 + len("/kruntimes-run/runtime.sock") + 8


@dataclass(frozen=True)
class Layout:
    """Paths of one data directory; `sockets` lies elsewhere when paths in it would be too long."""

    data: Path
    sockets: Path

    @property
    def kubeconfig(self) -> Path:
        return self.data / "kubeconfig"

    @property
    def lock(self) -> Path:
        """Held for as long as the dev process lives; says its pid and start time."""
        return self.data / "dev.pid"

    @property
    def port(self) -> Path:
        """The port of the last start, taken again so that copied kubeconfigs stay right."""
        return self.data / "port"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def pods(self) -> Path:
        return self.data / "pods"

    @property
    def records(self) -> Path:
        """One line for each process started; what a crash left is found by it."""
        return self.data / "processes"

    def log(self, component: str) -> Path:
        return self.logs / f"{component}.log"

    def pod(self, uid: str) -> Path:
        return self.pods / uid

    def container_log(self, uid: str, container: str) -> Path:
        return self.pod(uid) / f"{container}.log"

    def volume(self, uid: str, name: str, *, memory: bool) -> Path:
        """Directory of a volume; those in memory hold the sockets and end with the processes."""
        if memory:
            return self.pod_sockets(uid) / name
        return self.pod(uid) / "volumes" / name

    def pod_sockets(self, uid: str) -> Path:
        return self.sockets / uid.replace("-", "")[:12]


def layout_of(data: Path, runtime_dir: Path) -> Layout:
    """Paths for `data`; sockets go below `runtime_dir` when a path below `data` would be too long for one."""
    own = data / "run"
    if len(str(own).encode()) + SOCKET_ROOM <= SOCKET_PATH_LIMIT:
        return Layout(data, own)
    mark = hashlib.sha256(str(data).encode()).hexdigest()[:10]
    return Layout(data, runtime_dir / f"krt-{mark}")
