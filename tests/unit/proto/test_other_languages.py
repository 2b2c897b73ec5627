"""The proto files, as they are, are taken by the compilers of Go and Node; nothing here edits them."""

import json
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from kruntimes.runtime.v1 import capabilities_pb2, runtime_service_pb2, status_pb2, types_pb2

from tests.unit.proto import toolchains

pytestmark = pytest.mark.toolchain

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"
FILES = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
MODULES = (capabilities_pb2, runtime_service_pb2, status_pb2, types_pb2)


def service() -> ServiceDescriptor:
    return runtime_service_pb2.DESCRIPTOR.services_by_name["RuntimeService"]


def test_protoc_gen_go_takes_the_files_and_go_builds_the_messages(tmp_path: Path) -> None:
    plugins = toolchains.go_plugins()
    go = toolchains.program("go", "building the messages")
    messages, services = tmp_path / "messages", tmp_path / "services"
    for folder in (messages, services):
        folder.mkdir()

    toolchains.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"),
            *(f"--plugin=protoc-gen-{name}={plugins / f'protoc-gen-{name}'}" for name in ("go", "go-grpc")),
            *(f"--go_out={messages}", "--go_opt=paths=source_relative"),
            *(f"--go-grpc_out={services}", "--go-grpc_opt=paths=source_relative"),
            *(str(PROTO / name) for name in FILES),
        ],
        cwd=tmp_path,
    )

    assert {path.name for path in messages.rglob("*.go")} == {
        Path(name).name.replace(".proto", ".pb.go") for name in FILES
    }
    (stub,) = services.rglob("*_grpc.pb.go")
    for method in service().methods:
        assert f"func (UnimplementedRuntimeServiceServer) {method.name}(" in stub.read_text()
    for name in ("go.mod", "go.sum"):
        (messages / name).write_bytes((toolchains.HERE / "go" / name).read_bytes())
    toolchains.run([go, "build", "-mod=readonly", "./..."], cwd=messages)


def test_nodes_proto_loader_reads_the_files_without_generating_code() -> None:
    node = toolchains.program("node", "Node's proto-loader")
    modules = toolchains.node_modules()

    printed = toolchains.run(
        [node, str(toolchains.HERE / "node" / "load.js"), str(PROTO), *FILES],
        cwd=modules,
        NODE_PATH=str(modules / "node_modules"),
    )

    found = json.loads(printed)
    assert found["services"] == {
        service().full_name: {
            method.name: {
                "path": f"/{service().full_name}/{method.name}",
                "requestStream": method.client_streaming,
                "responseStream": method.server_streaming,
            }
            for method in service().methods
        }
    }
    want = {
        f"{module.DESCRIPTOR.package}.{name}"
        for module in MODULES
        for name in (*module.DESCRIPTOR.message_types_by_name, *module.DESCRIPTOR.enum_types_by_name)
    }
    assert want <= set(found["types"])
