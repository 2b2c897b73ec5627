"""What is said to a person when a command fails: what happened, why, what to do; prints nothing."""


class UsageError(Exception):
    """The command was called in a way that makes no sense; the message says what would."""


def explain(error: BaseException) -> str:
    """Return one or two lines about an error."""
    from kruntimes_core.cli.remedies import remedy

    first, *more = _text(error).splitlines()
    second = remedy(error) or (more[0] if more else "")
    return f"{first}\n{second}" if second else first


def _text(error: BaseException) -> str:
    from kruntimes import Refused

    text = str(error).strip() or type(error).__name__
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, Refused) and error.field:
        # Its whole message repeats the object's name and adds causes that follow from the first one.
        return f"{error.field}: {error.rule}"
    if _is_surprise(error):
        return f"{type(error).__name__}: {text}\nthis should not happen; --debug shows where"
    return text


def _is_surprise(error: BaseException) -> bool:
    """Tell whether an error is neither one of ours nor of the system."""
    known = type(error).__module__.startswith(("kruntimes.", "kruntimes_core."))
    return not known and not isinstance(error, OSError)
