"""The small part of JSONPath that printer columns use; it never evaluates an expression."""

import re
from typing import Any

_STEP = re.compile(
    r"""\.(?P<key>[A-Za-z0-9_\-]+(?:\\\.[A-Za-z0-9_\-]+)*)
      | \[(?P<index>-?\d+|\*)\]
      | \['(?P<quoted>[^']+)'\]
      | \[\?\(@\.(?P<field>[A-Za-z0-9_]+)\s*==\s*["'](?P<value>[^"']*)["']\)\]""",
    re.VERBOSE,
)


def find(path: str, obj: Any) -> list[Any]:
    """The values at a path; none where it leads nowhere or is not understood."""
    values, position = [obj], 0
    text = path.strip().removeprefix("{").removesuffix("}")
    if not text.startswith((".", "[")):
        text = f".{text}"
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            return []
        values = [found for value in values for found in _follow(step, value)]
        position = step.end()
    return values


def _follow(step: re.Match[str], value: Any) -> list[Any]:
    if step["index"] is not None:
        if not isinstance(value, list):
            return []
        return value if step["index"] == "*" else value[int(step["index"]) :][:1]
    if step["field"] is not None:
        items = value if isinstance(value, list) else []
        return [item for item in items if isinstance(item, dict) and item.get(step["field"]) == step["value"]]
    key = step["quoted"] or step["key"].replace("\\.", ".")
    return [value[key]] if isinstance(value, dict) and key in value else []
