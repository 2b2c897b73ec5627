"""The gate over the generated stubs sees every way in which they can fall behind proto/."""

from pathlib import Path

import pytest

from tests.gates import stubs


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fresh")
    stubs.generate(stubs.ROOT / "proto", out)
    return out / "kruntimes" / "runtime"


def test_the_committed_stubs_are_fresh(fresh: Path) -> None:
    assert stubs.stale(stubs.ROOT / "sdk/python/kruntimes/runtime", fresh) == []


def test_each_kind_of_drift_is_named(fresh: Path, tmp_path: Path) -> None:
    for path in (fresh / "v1").iterdir():
        (tmp_path / "v1").mkdir(exist_ok=True)
        (tmp_path / "v1" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "v1/types_pb2.py").unlink()
    (tmp_path / "v1/gone_pb2.py").write_text("")
    (tmp_path / "v1/types_pb2.pyi").write_text("edited by hand")

    assert stubs.stale(tmp_path, fresh) == [
        "missing: v1/types_pb2.py",
        "left over: v1/gone_pb2.py",
        "stale: v1/types_pb2.pyi",
    ]
