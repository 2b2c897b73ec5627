"""Words of the command line, and what it says of wrong ones."""

from pathlib import Path

import pytest
from kruntimes.conformance.catalogue import all_checks
from kruntimes.conformance.cli import main

ROOT = Path(__file__).resolve().parents[3]
PACK = str(ROOT / "runtime_servers" / "fake" / "fixtures.yaml")


def test_list_names_every_check_and_tells_what_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in lines] == list(all_checks())
    unwritten = sum(one.code is None for one in all_checks().values())
    assert sum(line.endswith("(not written yet)") for line in lines) == unwritten


def test_explain_prints_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "st-02"]) == 0

    assert all_checks()["ST-02"].rule in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["explain", "XX-99"], "there is no check 'XX-99'"),
        (["run", "--endpoint", "unix:/x", "--fixtures", "/nowhere.yaml"], "No such file"),
        (
            ["run", "--endpoint", "unix:/x", "--fixtures", PACK, "--profile", "gold"],
            "there is no profile gold",
        ),
        (["run", "--launch", "true", "--fixtures", PACK, "--timeout-scale", "0.02"], "nothing listens at"),
        (["run", "--launch", "/nowhere", "--fixtures", PACK], "No such file"),
        (["badge", PACK], "is no report of"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2

    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_list_of_known_failures_names_real_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "known"
    listed.write_text("ST-02  # soon\n\nXX-01\n")

    code = main(["run", "--endpoint", "unix:/x", "--fixtures", PACK, "--known-failing", str(listed)])

    assert code == 2
    assert "names XX-01" in capsys.readouterr().err
