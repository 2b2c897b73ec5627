"""Fixture packs: what is read, and what is said of a wrong one."""

from pathlib import Path

import pytest
from kruntimes.conformance.pack import FIXTURES, BadPack, parse_pack, read_pack

ROOT = Path(__file__).resolve().parents[3]
FOUR: dict[str, object] = {
    "noop": {"task": {}},
    "exit_7": {"task": {}},
    "sleep_60": {"task": {}},
    "bad_program": {"task": {}},
}


@pytest.mark.parametrize("server", ["bash", "python", "fake"])
def test_the_packs_of_our_servers_speak_of_every_fixture(server: str) -> None:
    pack = read_pack(ROOT / "runtime_servers" / server / "fixtures.yaml")

    silent = [name for name in FIXTURES if pack.lacks(name).endswith("not given")]

    assert silent == []


def test_text_becomes_bytes(tmp_path: Path) -> None:
    path = tmp_path / "fixtures.yaml"
    path.write_text(
        'noop: {source: {inline: {inline: !text "größer"}}}\n'
        "exit_7: {cannot: never}\nsleep_60: {cannot: never}\nbad_program: {cannot: never}\n"
    )

    pack = read_pack(path)

    assert pack.specs["noop"].source.inline.inline == "größer".encode()
    assert pack.lacks("exit_7") == "fixture exit_7: never"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nope": {"task": {}}}, "there is no fixture 'nope'"),
        ({"noop": {"tusk": {}}}, "test: noop: .*tusk"),
        ({"noop": "echo"}, "noop must be a RunSpec in JSON form"),
        ({"provides": ["magic"]}, "provides knows"),
    ],
)
def test_a_wrong_pack_is_told_where(change: dict[str, object], words: str) -> None:
    with pytest.raises(BadPack, match=words):
        parse_pack({**FOUR, **change}, "test")


def test_core_needs_four() -> None:
    with pytest.raises(BadPack, match="Core needs exit_7, sleep_60, bad_program"):
        parse_pack({"noop": {"task": {}}}, "test")


def test_what_is_no_yaml_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("noop: [")

    with pytest.raises(BadPack, match="is no YAML"):
        read_pack(tmp_path / "bad.yaml")
