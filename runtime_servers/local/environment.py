"""The variables a program finds. Pure; reads no variable of this process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kruntimes.runtime.v1.types_pb2 import RunSpec
from kruntimes.server import RunKey

# Of the server's own variables these alone reach a program: they describe the image, not the server.
OF_IMAGE: Final = ("PATH", "LANG", "LC_ALL", "TZ")
_DEFAULTS: Final[Mapping[str, str]] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
_OURS: Final = "KRUNTIMES_"


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths of one Run: its workspace, its directory for temporary files, and what it leaves."""

    workspace: str
    temporary: str
    outputs: str
    result: str


def image_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program may have of the server's environment."""
    return {**_DEFAULTS, **{name: environment[name] for name in OF_IMAGE if environment.get(name)}}


def variables(spec: RunSpec, key: RunKey, places: Places, image: Mapping[str, str]) -> dict[str, str]:
    """Every variable of a program: a Run's own win over the image's, and ours over the Run's."""
    return {
        **image,
        "HOME": places.workspace,
        "PWD": places.workspace,
        "TMPDIR": places.temporary,
        **{name: value for name, value in spec.env.items() if not name.startswith(_OURS)},
        "KRUNTIMES_RUN_NAME": spec.name,
        "KRUNTIMES_RUN_UID": key.uid,
        "KRUNTIMES_NAMESPACE": spec.namespace,
        "KRUNTIMES_ATTEMPT": str(key.attempt),
        "KRUNTIMES_OUTPUTS": places.outputs,
        "KRUNTIMES_RESULT": places.result,
        "KRUNTIME_OUTPUTS": places.outputs,
    }
