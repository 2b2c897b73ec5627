"""What a Run's resource limits mean to the kernel; today rlimits. Pure; sets none."""

from collections.abc import Mapping
from typing import Final

# Names of rlimits, without RLIMIT_. A core would be written into the workspace by the kernel itself, and a
# program that opens descriptors without end should fail before the node does.
ALWAYS: Final = (("CORE", 0), ("NOFILE", 65536))

# They bound one process, not the tree: hence ACCOUNTED in the description, and not ENFORCED. DATA leaves
# alone what is only reserved, which is how programs with large address spaces live beside small limits.
OF_RESOURCE: Final[Mapping[str, str]] = {"memory": "DATA", "ephemeral-storage": "FSIZE"}


def rlimits(limits: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """The rlimits of every process of a Run with these limits, in base units."""
    own = ((rlimit, limits[name]) for name, rlimit in OF_RESOURCE.items() if name in limits)
    return (*ALWAYS, *own)
