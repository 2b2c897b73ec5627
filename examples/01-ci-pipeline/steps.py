"""The pipeline as a list of Runs, each with the end it must have; it talks to nobody."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kruntimes import Result, RunOptions
from sources import Tree, dealt

POOL: Final = "bash"
COMPILE_SHARDS: Final = 4
TEST_SHARDS: Final = {"model": 3, "scheduling": 3}
# What the unit tests need beside their own folders: packages, and the files at the top of two others.
PURE: Final = tuple(f"kruntimes_core/{package}" for package in ("model", "scheduling", "daemon"))
FLOOD: Final = 24 * 1024 * 1024

SCRIPTS: Final = Path(__file__).resolve().parent / "runs"


def script(name: str) -> str:
    """The program of a Run."""
    return (SCRIPTS / name).read_text()


@dataclass(frozen=True)
class Step:
    """One Run and the end it must have; `judge` looks at what the phase does not tell."""

    name: str
    options: RunOptions
    phase: str = "Succeeded"
    reason: str = ""
    exit_code: int | None = 0
    signal: int | None = None
    cancel: bool = False
    judge: Callable[[Result], str] = lambda result: ""

    def complaint(self, result: Result) -> str:
        """What is wrong with the end it had; empty when nothing is."""
        want = (self.phase, self.reason, self.exit_code, self.signal)
        got = (result.phase, result.reason, result.exit_code, result.signal)
        if got != want:
            return f"ended {got}, should have ended {want}: {result.message} {result.stderr.text[-600:]}"
        return self.judge(result)


def outputs_are(**want: object) -> Callable[[Result], str]:
    """Judge named outputs."""
    texts = {name: str(value) for name, value in want.items()}

    def judge(result: Result) -> str:
        return "" if result.outputs == texts else f"outputs {dict(result.outputs)}, should be {texts}"

    return judge


def pipeline(tree: Tree, hidden: Path | None = None) -> list[Step]:
    """The work, and beside it the awkward ones; with `hidden` the work cannot read that clone."""
    work = [*unit_tests(tree), *compilation(tree), hashing(tree)]
    if hidden is not None:
        work = [unable_to_read(hidden, step) for step in work]
    return [*awkward_slow(), *work, *awkward_quick()]


def unable_to_read(clone: Path, step: Step) -> Step:
    """The same step in a namespace where the clone is not there: proof that its sources travelled with it."""
    source = script("hide.sh") + step.options["source"]
    return replace(step, options={**step.options, "source": source, "env": {"CLONE": str(clone)}})


def hashing(tree: Tree) -> Step:
    """Count and hash the whole tree; it must be the tree that was sent."""
    options = RunOptions(source=script("hash.sh"), files=tree.packed(), timeout=60)
    return Step("hash", options, judge=outputs_are(files=len(tree.files), digest=tree.digest()))


def compilation(tree: Tree) -> list[Step]:
    """Compile every Python file, a part of them in each Run."""
    steps = []
    for number, paths in enumerate(dealt(tree.python(), COMPILE_SHARDS, tree), start=1):
        options = RunOptions(source=script("compile.sh"), files=tree.only(paths).packed(), timeout=60)
        steps.append(Step(f"compile-{number}", options, judge=outputs_are(compiled=len(paths))))
    return steps


def unit_tests(tree: Tree) -> list[Step]:
    """The unit tests of model and scheduling, sharded by file."""
    shared = tree.under("kruntimes_core", "tests", suffix=".py")
    needs = [*tree.under(*PURE), *(path for path in shared if path.count("/") == 1), "pyproject.toml"]
    steps = []
    for package, shards in TEST_SHARDS.items():
        folder = tree.under(f"tests/unit/{package}")
        tests = [path for path in folder if path.rsplit("/", 1)[1].startswith("test_")]
        if not tests:
            raise LookupError(f"there are no unit tests of {package} in tests/unit/{package}")
        archive = tree.only({*needs, *folder} & tree.files.keys()).packed()
        for number, paths in enumerate(dealt(tests, shards, tree), start=1):
            options = RunOptions(source=script("test.sh"), args=paths, files=archive, timeout=90)
            steps.append(Step(f"unit-{package}-{number}", options, judge=some_tests_ran))
    return steps


def some_tests_ran(result: Result) -> str:
    """A shard without tests would prove nothing."""
    return "" if int(result.outputs.get("tests", "0")) > 0 else "no test ran"


def awkward_slow() -> list[Step]:
    """Those that would go on for ever; they start first, since others can pass them by."""
    cut = RunOptions(source="sleep 60", timeout=0.7, grace=1)
    stopped = RunOptions(source="echo here I am; sleep 60", grace=1)
    return [
        Step("too-slow", cut, phase="Timeout", reason="TimeLimit", exit_code=None, signal=15),
        Step(
            "cancelled",
            stopped,
            phase="Cancelled",
            reason="Cancelled",
            exit_code=None,
            signal=15,
            cancel=True,
        ),
    ]


def awkward_quick() -> list[Step]:
    """Programs that end oddly, each with the end it deserves."""
    octets = bytes(range(256))

    def cut_short(result: Result) -> str:
        out = result.stdout
        return "" if out.truncated and out.size == FLOOD else f"{out.size} bytes, truncated: {out.truncated}"

    def intact(result: Result) -> str:
        return "" if result.stdout == octets else f"{len(result.stdout)} bytes came back changed"

    return [
        Step("exit-7", RunOptions(source="exit 7"), "Failed", "NonZeroExit", exit_code=7),
        Step("killed", RunOptions(source="kill -KILL $$"), "Failed", "KilledBySignal", None, signal=9),
        Step(
            "missing", RunOptions(args=["no-such-program", "x"]), "Failed", "MissingProgram", exit_code=None
        ),
        Step("flood", RunOptions(source=f"head -c {FLOOD} /dev/zero"), judge=cut_short),
        Step("binary", RunOptions(source="cat octets", files={"octets": octets}), judge=intact),
    ]
