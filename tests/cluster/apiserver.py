"""A real API server that is started and ended as the embedded one: same arguments, same files, same line.

`python -m tests.cluster.apiserver --data DIR --port N` keeps etcd and kube-apiserver going over the data in
DIR, writes DIR/kubeconfig, says `ready https://...` and ends with everything it started, however it ends. It
never judges what is asked.
"""

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from kruntimes.kubeconfig import ClusterAccess, from_files

from kruntimes_core.dev.apiserver.certificates import Identity, load_or_make, write_kubeconfig
from kruntimes_core.dev.crds import load_crds
from kruntimes_core.dev.processes import die_with_parent
from kruntimes_core.kube.client import Client, Request
from kruntimes_core.kube.errors import AlreadyExists, ApiError
from tests.cluster import binaries
from tests.cluster.node import Node

LOOPBACK = "127.0.0.1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
START_SECONDS = 120.0
# kube-apiserver lets requests under way end first; what has not ended then is a watch nobody reads.
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Place:
    """Where one server keeps what, and where it listens."""

    data: Path
    port: int

    @property
    def own(self) -> Path:
        """What only this program and its children use."""
        return self.data / "cluster"

    @property
    def etcd_address(self) -> Path:
        """The file that says where etcd listens, for who must speak with it."""
        return self.own / "etcd.url"


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until a port is free again: a server that was killed may still be on its way out."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                return probe.bind((LOOPBACK, port))
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(POLL_SECONDS)


def etcd(place: Place) -> list[str]:
    """Return how etcd is called: on loopback, and quick, since its data need not survive this machine."""
    clients, peers = (f"http://{LOOPBACK}:{free_port()}" for _ in range(2))
    place.etcd_address.write_text(clients)
    return [
        "etcd",
        f"--data-dir={place.own / 'etcd'}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def kube_apiserver(place: Place, identity: Identity) -> list[str]:
    """Return how kube-apiserver is called: as it comes, but for what a machine without nodes cannot have."""
    return [
        "kube-apiserver",
        f"--etcd-servers={place.etcd_address.read_text()}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={place.port}",
        # Where there is no route, it cannot find this by itself; nobody is told it.
        "--advertise-address=192.0.2.1",
        f"--tls-cert-file={identity.certificate}",
        f"--tls-private-key-file={identity.key}",
        f"--token-auth-file={write_tokens(place, identity)}",
        f"--authentication-config={write_authentication(place)}",
        "--authorization-mode=Node,RBAC",
        f"--audit-policy-file={write_audit_policy(place)}",
        f"--audit-log-path={place.data / 'audit.log'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={identity.certificate}",
        f"--service-account-signing-key-file={identity.key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        # Nobody here makes the ServiceAccount that it would put into each Pod.
        "--disable-admission-plugins=ServiceAccount",
    ]


def kube_controller_manager(place: Place) -> list[str]:
    """Return how the one controller is called without which a deleted namespace would stay for ever."""
    return [
        "kube-controller-manager",
        f"--kubeconfig={place.own / 'kubeconfig'}",
        "--controllers=namespace-controller",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def write_tokens(place: Place, identity: Identity) -> Path:
    """Write the one user: the embedded server's, who may do everything."""
    path = place.own / "tokens.csv"
    path.write_text(f'{identity.token},kruntimes-dev,kruntimes-dev,"system:masters"\n')
    return path


def write_authentication(place: Place) -> Path:
    """Write who may come without a token: whoever asks whether it is up."""
    path = place.own / "authentication.yaml"
    anonymous = {
        "enabled": True,
        "conditions": [{"path": path} for path in ("/livez", "/readyz", "/healthz")],
    }
    kind = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
    path.write_text(yaml.safe_dump(kind | {"anonymous": anonymous}))
    return path


def write_audit_policy(place: Place) -> Path:
    """Write what goes into the audit log: each write on a Run, without its body; benchmarks count them."""
    path = place.data / "audit-policy.yaml"
    runs = {"group": "kruntimes.io", "resources": ["runs", "runs/status"]}
    rules = [
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete"], "resources": [runs]},
        {"level": "None"},
    ]
    kind = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}
    path.write_text(yaml.safe_dump(kind | {"omitStages": ["RequestReceived"], "rules": rules}))
    return path


def start(argv: list[str], place: Place) -> "subprocess.Popen[bytes]":
    """Start one of the programs; it dies with this one."""
    program = binaries.build() / argv[0]
    with (place.own / f"{argv[0]}.log").open("ab") as log:
        return subprocess.Popen(
            [str(program), *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - this program is one thread
        )


async def prepare(access: ClusterAccess, crds: Path | None) -> None:
    """Wait until it answers, and see that it serves our kinds."""
    async with asyncio.timeout(START_SECONDS), Client(access, "kruntimes-test") as client:
        await until_served(client, "/readyz")
        for crd in load_crds(crds):
            try:
                await client.send(Request("POST", CRDS, crd))
            except AlreadyExists:
                pass  # from an earlier start on the same data
            version = crd["spec"]["versions"][0]["name"]
            await until_served(
                client, f"/apis/{crd['spec']['group']}/{version}/{crd['spec']['names']['plural']}"
            )


async def until_served(client: Client, path: str) -> None:
    """Wait until a path answers well."""
    while True:
        try:
            await client.send(Request("GET", path, query={} if path == "/readyz" else {"limit": "1"}))
            return
        except ApiError:
            await asyncio.sleep(POLL_SECONDS)


async def watch_over(programs: "list[subprocess.Popen[bytes]]", stop: asyncio.Event) -> None:
    """Return when a program has ended or the end was asked for."""
    while not stop.is_set() and all(program.poll() is None for program in programs):
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue


async def serve(place: Place, crds: Path | None) -> int:
    """Run both programs until a signal, or until one of them ends."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    identity = load_or_make(place.data, datetime.now(UTC))
    address = f"https://{LOOPBACK}:{place.port}"
    inner = write_kubeconfig(place.own, identity, address)
    programs = [start(etcd(place), place)]
    programs.append(start(kube_apiserver(place, identity), place))
    programs.append(start(kube_controller_manager(place), place))
    watching = asyncio.create_task(watch_over(programs, stop))
    preparing = asyncio.create_task(prepare(from_files([inner]), crds))
    await asyncio.wait((watching, preparing), return_when=asyncio.FIRST_COMPLETED)
    if not preparing.cancel():
        preparing.result()
        write_kubeconfig(place.data, identity, address)
        print(f"ready {address}", flush=True)
    await with_node(place, identity, from_files([inner]), watching)
    if not stop.is_set():
        tell_why(programs, place.own)
    for program in reversed(programs):
        end(program)
    return 0 if stop.is_set() else 1


async def with_node(
    place: Place, identity: Identity, access: ClusterAccess, watching: "asyncio.Task[None]"
) -> None:
    """Wait for the end; until then be the node too, where `krt dev` runs Pods over this data."""
    if os.environ.get("KRUNTIMES_DEV_DATA") != str(place.data):
        await watching
        return
    async with Client(access, "kruntimes-node") as client:
        node = asyncio.create_task(Node(client, identity, place.data / "pods").run())
        await asyncio.wait((watching, node), return_when=asyncio.FIRST_COMPLETED)
        if not node.cancel():
            node.result()
        await asyncio.gather(node, watching, return_exceptions=True)


def tell_why(programs: "list[subprocess.Popen[bytes]]", logs: Path) -> None:
    """Show the last words of what ended by itself."""
    for program in programs:
        if program.poll() is not None:
            name = Path(str(program.args[0])).name  # type: ignore[index]
            lines = (logs / f"{name}.log").read_text().splitlines()[-5:]
            print(f"{name} ended with {program.returncode}:", *lines, sep="\n", file=sys.stderr, flush=True)


def end(program: "subprocess.Popen[bytes]") -> None:
    """End a program: politely, and by force when it does not listen."""
    program.terminate()
    try:
        program.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def main() -> int:
    """Run until a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.apiserver")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--crds", type=Path)
    given = parser.parse_args()
    os.umask(0o077)
    place = Place(given.data, given.port or free_port())
    place.own.mkdir(parents=True, exist_ok=True)
    if given.port:
        wait_for_port(given.port)
    return asyncio.run(serve(place, given.crds))


if __name__ == "__main__":
    sys.exit(main())
