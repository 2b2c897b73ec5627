"""Endpoint, token and socket file of a server process."""

import os
import socket
from pathlib import Path

import grpc.aio
import pytest
from kruntimes.server import Place, Refusal
from kruntimes.server.auth import Door, read_token

TCP = {"KRUNTIMES_ENDPOINT": "127.0.0.1:0", "KRUNTIMES_TOKEN_FILE": "/t"}


def test_the_environment_names_the_place() -> None:
    place = Place.of_environment(
        {
            "KRUNTIMES_ENDPOINT": "unix:///s/x.sock",
            "KRUNTIMES_TOKEN_FILE": "/s/token",
            "KRUNTIMES_SPOOL": "/s/spool",
            "KRUNTIMES_TERMINATION_GRACE_SECONDS": "12",
        }
    )
    assert place == Place("unix:///s/x.sock", "/s/token", "/s/spool", 12.0)
    assert place.socket == Path("/s/x.sock")
    assert Place.of_environment({}).socket == Path("/run/kruntimes/runtime.sock")
    assert Place.of_environment(TCP).socket is None


@pytest.mark.parametrize(
    "environment",
    [
        {**TCP, "KRUNTIMES_TOKEN_FILE": ""},
        {**TCP, "KRUNTIMES_ENDPOINT": "0.0.0.0:1"},
        {"KRUNTIMES_TERMINATION_GRACE_SECONDS": "soon"},
    ],
)
def test_a_place_that_is_not_safe_or_not_readable_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"KRUNTIMES_|soon"):
        Place.of_environment(environment)


async def test_a_stale_socket_file_is_replaced_and_the_new_one_is_not_for_others(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    place = Place(f"unix:{path}")
    listener = grpc.aio.server()
    place.bind(listener)
    await listener.start()
    assert os.stat(path).st_mode & 0o777 == 0o660
    with pytest.raises(OSError, match="another server listens"):
        place.bind(grpc.aio.server())
    await listener.stop(0)
    place.leave()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(OSError, match="no socket"):
        Place(f"unix:{path}").bind(None)  # type: ignore[arg-type]
    assert path.read_text() == "precious"


async def test_the_token_is_read_and_a_missing_or_empty_one_is_said(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert await read_token(None) is None
    with pytest.raises(TimeoutError, match="does the daemon run"):
        await read_token(str(path), wait=0)
    path.write_text("")
    with pytest.raises(ValueError, match="is empty"):
        await read_token(str(path))
    path.write_text("secret\n")
    assert await read_token(str(path)) == "secret"


METADATA = {
    "none": None,
    "another header": [("x", "Bearer secret")],
    "another token": [("authorization", "Bearer secre")],
    "another scheme": [("authorization", "Basic secret")],
}


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
def test_without_the_token_nobody_gets_in(metadata: list[tuple[str, str | bytes]] | None) -> None:
    with pytest.raises(Refusal) as refused:
        Door("secret").check(metadata)
    assert refused.value.code == "UNAUTHENTICATED"
    Door("secret").check([("authorization", "Bearer secret")])
    Door(None).check(metadata)
