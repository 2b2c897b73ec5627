"""`python -m runtime_servers.bash`: serves shell commands and scripts where the environment says."""

import shutil
from collections.abc import Mapping

from runtime_servers.bash.command import Bash
from runtime_servers.local.program import ToolchainMissing, run_server


def find(environment: Mapping[str, str]) -> Bash:
    """The bash in PATH. Raises ToolchainMissing."""
    shell = shutil.which("bash", path=environment.get("PATH"))
    if shell is None:
        raise ToolchainMissing("there is no bash in PATH; install it in the image of this server")
    return Bash(shell)


if __name__ == "__main__":
    run_server(find)
