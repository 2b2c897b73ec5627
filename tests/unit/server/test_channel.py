"""Output channels and the spool: offsets, bounds, memory, disk."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kruntimes.server import RunKey
from kruntimes.server.channel import Channel
from kruntimes.server.spool import Output, Spool

KEY = RunKey("u", 1)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path), memory_bytes=64)


def make_channel(spool: Spool, most: int = 100, keep_tail: bool = False) -> Channel:
    return Channel(spool, f"{spool.root}/c{len(os.listdir(spool.root))}", most, keep_tail)


def read_all(channel: Channel, offset: int = 0, step: int = 65536) -> bytes:
    data = b""
    while (chunk := channel.read(offset, step)).data:
        data += chunk.data
        offset = chunk.offset + len(chunk.data)
    return data


def test_short_output_makes_no_file(spool: Spool) -> None:
    channel = make_channel(spool)
    channel.write(bytes(range(64)))
    assert os.listdir(spool.root) == []
    assert read_all(channel) == bytes(range(64))


def test_longer_output_goes_to_disk_once_and_is_removed_when_dropped(spool: Spool) -> None:
    channel = make_channel(spool, most=1000)
    channel.write(b"a" * 60)
    channel.write(b"b" * 60)
    channel.write(b"c" * 60)
    assert len(os.listdir(spool.root)) == 1
    assert spool.in_memory == 0
    channel.close()
    assert read_all(channel, step=7) == b"a" * 60 + b"b" * 60 + b"c" * 60
    channel.drop()
    assert os.listdir(spool.root) == []


def test_a_file_can_be_read_by_its_owner_only(spool: Spool) -> None:
    channel = make_channel(spool)
    channel.write(b"x" * 80)
    assert os.stat(channel.path).st_mode & 0o777 == 0o600


def test_a_full_head_keeps_the_first_bytes_and_still_knows_the_last(spool: Spool) -> None:
    channel = make_channel(spool, most=10)
    channel.write(b"0123456789ab")
    channel.write(b"cd")
    assert read_all(channel) == b"0123456789"
    assert (channel.first, channel.end, channel.truncated) == (0, 14, True)
    assert channel.tail() == b"0123456789abcd"
    assert channel.read(12).data == b""


def test_a_full_tail_keeps_the_last_bytes_and_counts_the_gap(spool: Spool) -> None:
    channel = make_channel(spool, most=10, keep_tail=True)
    channel.write(b"0123456789")
    assert not channel.truncated
    channel.write(b"ab")
    assert channel.read(0) == (2, b"23456789ab", 2)
    assert channel.read(5) == (5, b"56789ab", 0)
    assert (channel.first, channel.end, channel.truncated) == (2, 12, True)


@given(
    writes=st.lists(st.binary(min_size=1, max_size=90), max_size=12),
    most=st.integers(1, 200),
    keep_tail=st.booleans(),
    step=st.integers(1, 70),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_writes_keep_exactly_their_head_or_tail(
    writes: list[bytes], most: int, keep_tail: bool, step: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spool = Spool(str(tmp_path_factory.mktemp("s")), memory_bytes=64)
    channel = make_channel(spool, most, keep_tail)
    for data in writes:
        channel.write(data)
    whole = b"".join(writes)
    want = whole[-most:] if keep_tail else whole[:most]
    for _ in range(2):  # while written, and after
        assert read_all(channel, 0, step) == want
        assert channel.tail() == (want if keep_tail else whole)[-4096:]
        assert (channel.end, channel.truncated) == (len(whole), len(whole) > most)
        assert channel.last - channel.first == len(want)
        channel.close()
    channel.drop()
    assert spool.in_memory == 0
    assert os.listdir(spool.root) == []


def test_a_crowd_of_small_outputs_goes_to_disk_instead_of_eating_memory(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), memory_bytes=1000, all_bytes=50)
    for _ in range(3):
        make_channel(spool).write(b"x" * 30)
    assert spool.in_memory <= 50 + 30


@pytest.mark.parametrize("keep_tail", [False, True])
def test_a_disk_that_takes_nothing_cuts_the_output_and_never_the_program(
    tmp_path: Path, keep_tail: bool
) -> None:
    spool = Spool(str(tmp_path / "not-there"), memory_bytes=64)
    channel = Channel(spool, f"{spool.root}/c", 1000, keep_tail)
    channel.write(b"a" * 60)
    channel.write(b"b" * 60)
    channel.write(b"c" * 60)
    assert channel.truncated
    assert channel.end == 180
    assert read_all(channel).startswith(b"a" * 60)
    assert channel.tail().endswith(b"c" * 60)
    assert "No such file" in spool.broken


def test_followers_hear_of_bytes_and_of_the_end(spool: Spool) -> None:
    output = spool.output(KEY, 100, keep_tail=False)
    heard: list[str] = []
    output.listeners.append(lambda: heard.append("!"))
    output.write("stdout", b"x")
    output.write("stdout", b"")
    output.close()
    assert heard == ["!", "!"]


@pytest.mark.parametrize("name", ["stdin", "", "../x"])
def test_a_name_that_is_no_channel_is_refused(spool: Spool, name: str) -> None:
    with pytest.raises(ValueError, match="no channel"):
        spool.output(KEY, 100, keep_tail=False).write(name, b"x")


def test_nothing_is_written_after_the_end(spool: Spool) -> None:
    output: Output = spool.output(KEY, 100, keep_tail=False)
    output.close()
    with pytest.raises(ValueError, match="ended Run"):
        output.write("stdout", b"x")


def test_a_new_spool_removes_what_an_earlier_process_left_and_its_own_at_the_end(tmp_path: Path) -> None:
    old = Spool.open(str(tmp_path))
    Path(old.root, "left").write_bytes(b"x")
    Path(tmp_path, "foreign").write_bytes(b"x")
    new = Spool.open(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"foreign", Path(new.root).name}
    new.close()
    assert {path.name for path in tmp_path.iterdir()} == {"foreign"}
