"""Which exit code a Run's end becomes, and what is said about it. Pure."""

from kruntimes import Result

TIMED_OUT = 124
NOT_RUN = 125
NOT_FOUND = 127
CANCELLED = 130
# The program's own affair: it has said what there is to say.
PLAIN_REASONS = frozenset({"", "NonZeroExit", "UncaughtException"})


def exit_code(result: Result) -> int:
    """Return what a shell would see of this end."""
    if result.phase == "Timeout":
        return TIMED_OUT
    if result.phase == "Cancelled":
        return CANCELLED
    if result.signal:
        return 128 + result.signal
    if result.succeeded or result.exit_code:
        return result.exit_code or 0
    # A program may end with 0 and its Run fail all the same, for example for outputs that cannot be read.
    return NOT_FOUND if result.reason == "MissingProgram" else NOT_RUN


def is_worth_a_word(result: Result) -> bool:
    """Tell whether a person needs more than the program's own output to understand the end."""
    return not result.succeeded and not (result.exit_code and result.reason in PLAIN_REASONS)
