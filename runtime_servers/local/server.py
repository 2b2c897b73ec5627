"""A runtime server of local programs in any language: puts slots and launcher together; holds no rule."""

import os
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kruntimes.runtime.v1.capabilities_pb2 import (
    SOURCE_KIND_INLINE,
    SOURCE_KIND_WORKSPACE,
    Capabilities,
    SchedulingCapability,
    WorkloadCapability,
)
from kruntimes.runtime.v1.types_pb2 import (
    RESOURCE_ENFORCEMENT_ACCOUNTED,
    RESOURCE_UNIT_BYTES,
    RESOURCE_UNIT_COUNT,
    RESOURCE_UNIT_MILLICORES,
    ResourceDescriptor,
    RunSpec,
)
from kruntimes.server import Code, Description, Refusal, StartedRun

from runtime_servers.local.admission import admit, find_workspace
from runtime_servers.local.child import adopt_orphans
from runtime_servers.local.children import Children
from runtime_servers.local.command import Command, Language
from runtime_servers.local.directories import OUTPUTS, PRIVATE, RESULT, TEMPORARY
from runtime_servers.local.environment import Places, image_variables, variables
from runtime_servers.local.launcher import LocalRun, Plan
from runtime_servers.local.leftovers import sweep, take_state
from runtime_servers.local.limits import rlimits
from runtime_servers.local.messages import Order
from runtime_servers.local.slots import Slots, describe_status, log

# Own bound on Runs at once; what a Runtime grants is less, as a rule.
DEFAULT_SLOTS: Final = 64
MOST_SLOTS: Final = 1024
# In the directory of workspaces, names that begin with a dot are no Run's.
STATE: Final = ".server"
_UNITS: Final = {"cpu": RESOURCE_UNIT_MILLICORES, "runs": RESOURCE_UNIT_COUNT}


@dataclass(frozen=True, slots=True)
class Settings:
    """The directory of workspaces, empty for none, and how many Runs a server takes at once."""

    workspaces: str
    slots: int

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """KRUNTIMES_WORKSPACES and KRUNTIMES_SLOTS. Raises ValueError for a number of slots that is none."""
        text = environment.get("KRUNTIMES_SLOTS") or str(DEFAULT_SLOTS)
        if not text.isdecimal() or not 1 <= int(text) <= MOST_SLOTS:
            raise ValueError(f"KRUNTIMES_SLOTS is {text!r}; it must be a number from 1 to {MOST_SLOTS}")
        return cls(environment.get("KRUNTIMES_WORKSPACES") or "", int(text))


def describe(language: Language, capacity: Mapping[str, int]) -> Description:
    """What a server of this language is and can do. Nothing is called enforced that no kernel enforces."""
    resources = [
        ResourceDescriptor(
            name=name,
            unit=_UNITS.get(name, RESOURCE_UNIT_BYTES),
            enforcement=RESOURCE_ENFORCEMENT_ACCOUNTED,
        )
        for name in capacity
    ]
    return Description(
        name=language.name,
        version=language.version,
        capabilities=Capabilities(
            scheduling=SchedulingCapability(resources=resources),
            workload=WorkloadCapability(
                task=True,
                sources=[SOURCE_KIND_INLINE, SOURCE_KIND_WORKSPACE],
                stdin=True,
                result_value=True,
                graceful_stop=True,
            ),
        ),
        capacity=capacity,
        # A Run takes a slot also when it asks for none.
        max_outstanding_runs=capacity["runs"],
    )


class LocalServer:
    """A kruntimes.server.RuntimeServer. Make it on a running event loop, one in a process; close it at last.

    Raises StateTaken when another server uses the same directory, and OSError.
    """

    def __init__(self, language: Language, settings: Settings, environment: Mapping[str, str]) -> None:
        self._language = language
        self._own_state = not settings.workspaces
        if settings.workspaces:
            self._workspaces = os.path.realpath(settings.workspaces)
            os.makedirs(self._workspaces, exist_ok=True)
            self._state = f"{self._workspaces}/{STATE}"
        else:
            self._workspaces = ""
            self._state = tempfile.mkdtemp(prefix="kruntimes-slots-")
        self._roots = tuple({settings.workspaces, self._workspaces} - {""})
        self._image = image_variables(environment)
        self._lock = take_state(self._state)
        sweep(self._state, self._workspaces)
        adopt_orphans()
        self.description = describe(language, self._capacity(settings.slots))
        self._children = Children(_inherited)
        self._slots = Slots(self._state, self._workspaces, settings.slots, self._children)
        self._slots.grow()

    def configure(self, config: Mapping[str, object]) -> None:
        """No settings are taken."""
        raise Refusal(Code.INVALID_ARGUMENT, "CONFIG_INVALID", f"{self._language.name} takes no config.")

    def check(self, spec: RunSpec) -> None:
        """Refuse what no slot could ever run."""
        self._stand()
        admit(spec, self._roots)
        self._language.command(spec)

    def _stand(self) -> None:
        """End, to be started anew, once a program has removed the directory all slots are in."""
        if os.path.exists(f"{self._state}/lock"):
            return
        log.critical("%s was removed, perhaps by a Run; ending, so that it is made anew", self._state)
        signal.raise_signal(signal.SIGTERM)
        raise Refusal(Code.UNAVAILABLE, "NOT_READY", "The directory of the slots was removed.")

    async def start(self, run: StartedRun) -> LocalRun:
        """Begin a Run in a slot."""
        command = self._language.command(run.spec)
        plan = Plan(
            order=lambda slot: self._order(run, command, slot),
            noted=command.noted,
            judge=lambda end: self._language.judge(command, end),
        )
        return LocalRun(run, plan, self._slots)

    async def close(self) -> None:
        """End every slot, and remove what is only ours. More than once does no harm."""
        if self._lock < 0:
            return
        await self._slots.close()
        self._children.close()
        os.close(self._lock)
        self._lock = -1
        if self._own_state:
            os.unlink(f"{self._state}/lock")
            os.rmdir(self._state)

    def _order(self, run: StartedRun, command: Command, slot: str) -> Order:
        given = run.spec.HasField("workspace")
        relative = find_workspace(run.spec.workspace.path, self._roots) if given else ""
        places = Places(
            workspace=run.spec.workspace.path if given else f"{slot}/{PRIVATE}",
            temporary=f"{slot}/{TEMPORARY}",
            outputs=f"{slot}/{OUTPUTS}",
            result=f"{slot}/{RESULT}",
        )
        found = variables(run.spec, run.key, places, self._image)
        return Order(
            workspace=relative,
            files=command.files,
            shell=command.shell,
            scripts=command.scripts,
            args=command.args,
            program=command.program,
            environment=tuple(found.items()),
            limits=rlimits(run.spec.resources.limits),
        )

    def _capacity(self, slots: int) -> dict[str, int]:
        disk = os.statvfs(self._state)
        return {
            "runs": slots,
            "cpu": len(os.sched_getaffinity(0)) * 1000,
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "ephemeral-storage": disk.f_blocks * disk.f_frsize,
        }


def _inherited(status: int) -> None:
    log.debug("a process that lost its parent ended here (%s)", describe_status(status))
