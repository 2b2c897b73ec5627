"""How our programs log: one line for each record, `key=value` after the message, to stderr; nothing else."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

# What every record has; all else was given with `extra`.
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "taskName",
    "asctime",
}
_PLAIN = re.compile(r"[-A-Za-z0-9_./:@+%,\[\]]+")


class LineFormatter(logging.Formatter):
    """One record, one line, whatever the message holds."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """Give time, level, program, message and what `extra` held."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        parts = [f"{at}Z", record.levelname, self._program, _one_line(record.getMessage())]
        parts += [f"{key}={_quoted(value)}" for key, value in vars(record).items() if key not in _STANDARD]
        if record.exc_info:
            parts.append(f"exception={_quoted(self.formatException(record.exc_info))}")
        return " ".join(parts)


def set_up_logging(program: str, level: str = "info") -> None:
    """Send all logs of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(program))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line for each request or connection would bury what matters.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _quoted(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
