"""Container paths turned into real ones: nothing is mounted, so texts naming a mount are rewritten. Pure."""

import re
from collections.abc import Mapping

# What may stand before a path and after it inside a text such as unix:///run/x or PATH=/a:/b.
_BEFORE = r"(?:^|(?<=[\s=:,;\"'(\[])|(?<=://))"
_AFTER = r"(?=/|$|[\s:,;\"')\]])"
_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")


def rewrite(text: str, mounts: Mapping[str, str]) -> str:
    """Return `text` with each mount path at the start of a path replaced by its real directory."""
    if not mounts:
        return text
    wanted = {path.rstrip("/"): real for path, real in mounts.items()}
    # The longest first: a mount inside another one hides that part of it.
    choices = "|".join(re.escape(path) for path in sorted(wanted, key=len, reverse=True))
    pattern = re.compile(f"{_BEFORE}({choices}){_AFTER}", re.MULTILINE)
    return pattern.sub(lambda match: wanted[match[1]], text)


def expand(text: str, env: Mapping[str, str]) -> str:
    """Return `text` with $(NAME) replaced as Kubernetes does: unknown names stay, $$ is one dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return env.get(match[2], match[0])

    return _REFERENCE.sub(value, text)
