"""Which interpreter the server's programs get, and what is said when it is none."""

import os
import sys
from pathlib import Path

import pytest

from runtime_servers.local.program import ToolchainMissing
from runtime_servers.python.__main__ import find


def test_programs_get_the_servers_own_interpreter() -> None:
    found = find({"PATH": os.defpath})
    assert found.interpreter == sys.executable
    assert found.version.endswith(
        f"(Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro})"
    )


def test_another_interpreter_is_found_by_name_and_not_by_what_it_links_to(tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(sys.executable)
    found = find({"PATH": str(tmp_path), "KRUNTIMES_PYTHON": "mine"})
    assert found.interpreter == str(tmp_path / "mine")
    assert "(Python 3." in found.version


@pytest.mark.parametrize("text", ["", "exit 0", "exit 1", "echo Python 2"])
def test_what_is_no_interpreter_is_told(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "mine").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "mine").chmod(0o755)
    with pytest.raises(ToolchainMissing, match=r"mine"):
        find({"PATH": str(tmp_path), "KRUNTIMES_PYTHON": "mine"})
