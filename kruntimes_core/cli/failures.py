"""What is said to a person when a command fails: what happened, why, what to do; prints nothing."""


class UsageError(Exception):
    """The command was called in a way that makes no sense; the message says what would."""


def explain(error: BaseException) -> str:
    """Return one or two lines about an error."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    elif _is_surprise(error):
        text = f"{type(error).__name__}: {text}\nthis should not happen; --debug shows where"
    return "\n".join(text.splitlines()[:2])


def _is_surprise(error: BaseException) -> bool:
    """Tell whether an error is neither one of ours nor of the system."""
    known = type(error).__module__.startswith(("kruntimes.", "kruntimes_core."))
    return not known and not isinstance(error, OSError)
