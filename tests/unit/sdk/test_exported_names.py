"""The public face of the SDK: its names, and how little it costs to look at it."""

import subprocess
import sys

import kruntimes

PUBLIC = {
    "ApiError", "Client", "Conflict", "Forbidden", "Handle", "KruntimesError", "NotConfigured", "NotFound",
    "Output", "Raised", "Refused", "Result", "Run", "RunCancelled", "RunError", "RunFailed", "RunLost",
    "RunOptions", "RunTimeout", "Timings", "Unreachable", "WaitTimeout",
}  # fmt: skip
HEAVY = ("aiohttp", "grpc", "kubernetes", "msgspec", "yaml", "asyncio", "google")


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
    classes = [kind for kind in vars(_errors).values() if isinstance(kind, type)]
    assert [kind.__name__ for kind in classes if kind.__name__ not in drawn] == []
    assert issubclass(kruntimes.WaitTimeout, TimeoutError)
    assert issubclass(kruntimes.RunLost, kruntimes.RunError)
    assert issubclass(kruntimes.Refused, kruntimes.ApiError)
