"""The public face of the SDK: its names, and how little it costs to look at it."""

import subprocess
import sys

import kruntimes

PUBLIC = {
    "ApiError", "AsyncClient", "AsyncHandle", "AsyncTask", "AsyncTaskHandle", "CannotSend", "Client",
    "Conflict", "Forbidden", "Handle", "KruntimesError", "LogPiece", "MapOptions", "NotConfigured",
    "NotFound", "Output", "Progress", "Raised", "Reference", "Refused", "Result", "Run", "RunCancelled",
    "RunError", "RunFailed", "RunLost", "RunOptions", "RunTimeout", "Task", "TaskFailed", "TaskHandle",
    "TaskOptions", "Timings", "Unreachable", "WaitTimeout", "task", "use",
}  # fmt: skip
HEAVY = (
    "aiohttp",
    "grpc",
    "kubernetes",
    "msgspec",
    "yaml",
    "cloudpickle",
    "pickle",
    "logging",
    "asyncio",
    "google",
)


def test_the_public_names() -> None:
    assert set(kruntimes.__all__) == PUBLIC
    assert all(hasattr(kruntimes, name) for name in PUBLIC)


def test_the_import_takes_nothing_heavy_along() -> None:
    script = f"import kruntimes, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_error_tree_is_the_one_that_is_drawn() -> None:
    from kruntimes import _errors

    drawn = _errors.__doc__ or ""
    ours = [kind for kind in vars(_errors).values() if getattr(kind, "__module__", "") == _errors.__name__]
    classes = [kind for kind in ours if isinstance(kind, type)]
    assert [kind.__name__ for kind in classes if kind.__name__ not in drawn] == []
    assert issubclass(kruntimes.WaitTimeout, TimeoutError)
    assert issubclass(kruntimes.RunLost, kruntimes.RunError)
    assert issubclass(kruntimes.Refused, kruntimes.ApiError)
