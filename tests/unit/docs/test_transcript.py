"""A transcript is read as a person reads it, and a page that promises something else is found out."""

from pathlib import Path

import pytest

from tests.transcript import Step, matches, read_steps, type_in

PAGE = """
text

```console
$ cat > a.txt <<'EOF'
> one
>
> two
> EOF
$ cat a.txt
one
...
$ (exit 3)
$ echo $?
3
```

```
$ echo never
```
"""


def test_commands_and_what_they_print_are_read_from_console_blocks() -> None:
    assert read_steps(PAGE) == [
        Step("cat > a.txt <<'EOF'\none\n\ntwo\nEOF", ""),
        Step("cat a.txt", "one\n..."),
        Step("(exit 3)", ""),
        Step("echo $?", "3"),
    ]


def test_commands_are_typed_into_one_shell(tmp_path: Path) -> None:
    printed = type_in(read_steps(PAGE), tmp_path, {"PATH": "/usr/bin:/bin"}, 20)
    assert printed == ["", "one\n\ntwo", "", "3"]


@pytest.mark.parametrize(
    ("expected", "printed", "want"),
    [
        ("hi", "hi\n", True),
        ("hi", "hi there", False),
        ("a ... c", "a b c", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...", "b", False),
        ("1.5 (x)", "1x5 (x)", False),
    ],
)
def test_dots_stand_for_anything_and_all_else_for_itself(expected: str, printed: str, want: bool) -> None:
    assert matches(expected, printed) is want
