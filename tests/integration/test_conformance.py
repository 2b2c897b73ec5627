"""The suite as its users call it: a third party's server by the command line, and as tests of pytest."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kruntimes.conformance.pack import read_pack
from kruntimes.conformance.processes import bearing

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "02-runtime-server"
COUNTER = f"{sys.executable} {EXAMPLE / 'counter.py'}"
PACK = str(EXAMPLE / "fixtures.yaml")
BOUND = 120.0


def run_pytest(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Pytest as a stranger runs it, with no setting of this repository."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    own = ("-p", "no:cacheprovider", "-c", "pytest.ini", "--rootdir", str(folder))
    return run(sys.executable, "-m", "pytest", *own, *options, folder=folder)


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=BOUND, check=False
    )


def test_the_word_counter_passes_core(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    suite = (sys.executable, "-m", "kruntimes.conformance")
    select = ("--profile", "core", "--json", str(report), "--junit", str(tmp_path / "junit.xml"))

    done = run(*suite, "run", "--launch", COUNTER, "--fixtures", PACK, *select, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["profiles"] == ["core"]
    assert found["counts"]["FAILED"] == found["counts"]["not run"] == 0
    verdicts = [one["verdict"] for one in found["checks"] if one["verdict"] != "not written"]
    assert verdicts.count("passed") >= 50
    badge = run(*suite, "badge", str(report), folder=tmp_path)
    assert badge.stdout.startswith("kruntimes conformance: core | example.kruntimes.counter 1.0")


def test_a_pass_that_is_stopped_leaves_no_server_behind(tmp_path: Path) -> None:
    launch = f"{sys.executable} -m runtime_servers.fake"
    pack = str(ROOT / "runtime_servers" / "fake" / "fixtures.yaml")
    suite = (sys.executable, "-m", "kruntimes.conformance", "run", "--launch", launch, "--fixtures", pack)
    folders = {
        **os.environ,
        "TMPDIR": tempfile.mkdtemp(prefix="kr-"),
    }  # short: a socket's path holds 107 bytes
    process = subprocess.Popen(suite, cwd=ROOT, env=folders, stderr=subprocess.PIPE, text=True)
    try:
        began = wait_for(lambda: list(Path(folders["TMPDIR"]).glob("kr-conf-*/s.sock")))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=BOUND)
    finally:
        process.kill()

    assert process.returncode == 2
    assert said == "kruntimes-conformance: stopped before the end; nothing was judged\n"
    assert bearing(str(began[0])) == []
    assert os.listdir(folders["TMPDIR"]) == []
    os.rmdir(folders["TMPDIR"])


def wait_for(look: Callable[[], list[Path]]) -> list[Path]:
    """What there is as soon as there is something; bounded."""
    until = time.monotonic() + BOUND
    while not (found := look()):
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.02)
    return found


def test_each_check_is_a_test_of_pytest(tmp_path: Path) -> None:
    launch = ("--kr-launch", COUNTER, "--kr-fixtures", PACK)

    done = run_pytest(*launch, "-rA", "-k", "HL or GL or FO-09 or CA-0", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED conformance::GL-03-pages-complete" in done.stdout
    assert "skipped: fixture ignore_term: not given" in done.stdout


def test_a_failing_check_tells_rule_and_what_was_seen(tmp_path: Path) -> None:
    pack = tmp_path / "fixtures.yaml"
    pack.write_text(Path(PACK).read_text().replace("one two three", ""))  # noop, which ends badly now
    launch = ("--kr-launch", COUNTER, "--kr-fixtures", str(pack), "-k", "LC-01")

    done = run_pytest(*launch, folder=tmp_path)

    assert done.returncode == 1, done.stdout
    assert "rule: SUCCEEDED, code 0, no error, times in order" in done.stdout
    assert "seen: noop ended FAILED" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_plugin_does_nothing_unasked(tmp_path: Path) -> None:
    (tmp_path / "test_none.py").write_text(
        "import sys\n\n"
        "def test_nothing_of_the_suite_is_imported():\n"
        "    ours = {name for name in sys.modules if name.startswith('kruntimes.conformance.')}\n"
        "    assert ours == {'kruntimes.conformance.pytest_plugin'}\n"
        "    assert 'grpc' not in sys.modules\n"
    )

    done = run_pytest("-q", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_server_without_a_pack_is_a_mistake(tmp_path: Path) -> None:
    done = run_pytest("--kr-launch", COUNTER, folder=tmp_path)

    assert done.returncode == 4
    assert "need --kr-fixtures FILE" in done.stderr + done.stdout


def test_the_guide_shows_the_pack_of_the_example() -> None:
    guide = (ROOT / "docs" / "writing-a-runtime-server.md").read_text()

    shown = [line for line in Path(PACK).read_text().splitlines() if not line.startswith("#")]

    assert "\n".join(shown) in guide
    assert set(read_pack(Path(PACK)).specs) == {"noop", "exit_7", "sleep_60", "bad_program"}
