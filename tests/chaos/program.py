"""The program each Run of a scenario executes: it marks when it runs, so that overlaps show. Pure."""

from collections.abc import Mapping
from typing import Any

from kruntimes_core.kube.kinds import RUN

BEAT_SECONDS = 0.2

# A mark is one line of the Run's own file: attempt, what wrote it, and when. `nap` waits without a process:
# a thousand beats a second would otherwise measure fork, not the system.
SOURCE = """\
exec {quiet}<> <(:)
nap() { read -rt "$1" -u "$quiet"; }
mark() { printf '%s %s %s\\n' "$KRUNTIMES_ATTEMPT" "$1" "$EPOCHREALTIME" >> "$MARKS/$KRUNTIMES_RUN_UID"; }
if [[ ${1-} == daemon ]]; then
  trap '' TERM HUP INT
  while mark daemon; do nap 0.2; done
fi
mark begin
if ((DAEMONISE)); then (setsid bash "$0" daemon < /dev/null &> /dev/null &); fi
for ((beat = 0; beat < BEATS; beat++)); do nap 0.2; mark beat; done
mark end
"""


def make_run(name: str, index: int, marks: str, seconds: float) -> Mapping[str, Any]:
    """Return the Run object; every fourth leaves a daemon of its own session behind."""
    env = {"MARKS": marks, "BEATS": str(round(seconds / BEAT_SECONDS)), "DAEMONISE": str(int(index % 4 == 0))}
    return {
        "apiVersion": RUN.api_version,
        "kind": RUN.name,
        "metadata": {"name": name},
        "spec": {
            "runtime": "bash",
            "source": {"inline": SOURCE},
            "env": [{"name": key, "value": value} for key, value in env.items()],
            "terminationGracePeriodSeconds": 2,
        },
    }
