"""`krt doctor` says what it saw, and what to do about what is not as it should be."""

import copy
import sys
from pathlib import Path

import pytest
from kruntimes import Client
from kruntimes._wire import Request, Response

from kruntimes_core.cli.checks.connection import check_connection, compare
from kruntimes_core.cli.checks.finding import Level
from kruntimes_core.cli.checks.kernel import capabilities, cgroups
from kruntimes_core.cli.checks.toolchains import Toolchain, check_toolchains
from kruntimes_core.dev.crds import load_crds
from tests.unit.sdk.runs import FakeTransport, answer, refusal

OURS = {definition["metadata"]["name"]: definition for definition in load_crds()}


def unified(folder: Path, controllers: str) -> tuple[str, str]:
    """What /proc says of a group below this folder."""
    group = folder / "own"
    group.mkdir()
    (group / "cgroup.controllers").write_text(controllers)
    (group / "cgroup.subtree_control").write_text("")
    return f"cgroup2 {folder} cgroup2 rw 0 0\n", "0::/own\n"


def test_a_delegated_group_is_well(tmp_path: Path) -> None:
    found = cgroups(*unified(tmp_path, "cpu memory pids io"))
    assert (found.level, found.seen) == (Level.OK, "version 2, delegated: cpu, io, memory, pids")


def test_a_group_without_a_controller_names_it(tmp_path: Path) -> None:
    found = cgroups(*unified(tmp_path, "cpu pids"))
    assert (found.level, found.do.split(" to ")[0]) == (Level.WARN, "delegate memory")


def test_a_group_that_is_not_ours_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    mounts, _ = unified(tmp_path, "cpu memory pids")
    assert "Delegate=yes" in cgroups(mounts, "0::/other\n").do


def test_the_first_version_and_none_at_all_are_told_apart(tmp_path: Path) -> None:
    assert "version 1" in cgroups(f"cgroup {tmp_path} cgroup rw 0 0\n", "1:cpu:/\n").seen
    assert "none mounted" in cgroups("", "").seen


def test_capabilities_are_read_from_their_mask() -> None:
    assert capabilities(f"CapEff:\t{1 << 21:016x}\n").seen == "SYS_ADMIN"
    assert "none are needed" in capabilities("CapEff:\t0000000000000000\n").seen


def test_a_missing_toolchain_is_named_with_what_installs_it() -> None:
    chains = {
        "here": Toolchain(sys.executable, ("--version",), ""),
        "gone": Toolchain("no-such-program", (), "get it"),
        "broken": Toolchain("false", ("--version",), ""),
    }
    here, gone, broken = check_toolchains(chains)
    assert (here.level, here.seen.split(": ")[1][:7]) == (Level.OK, "Python ")
    assert (gone.level, gone.do) == (Level.WARN, "to run gone: get it")
    assert "does not run" in broken.seen


def test_a_definition_that_lacks_a_field_is_another_version() -> None:
    theirs = copy.deepcopy(OURS["runs.kruntimes.io"])
    assert compare("runs", OURS["runs.kruntimes.io"], theirs).level is Level.OK
    schema = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["stdin"]
    found = compare("runs", OURS["runs.kruntimes.io"], theirs)
    assert (found.level, "spec.stdin" in found.seen) == (Level.WARN, True)


class Cluster:
    """Answers as a cluster with these definitions and rights."""

    def __init__(self, *, definitions: bool = True, allowed: bool = True) -> None:
        self.definitions, self.allowed = definitions, allowed

    def __call__(self, request: Request) -> Response:
        if request.path == "/version":
            return answer({"gitVersion": "v1"})
        name = request.path.rpartition("/")[2]
        if "customresourcedefinitions" in request.path:
            return answer(OURS[name]) if self.definitions else refusal(404, "NotFound", f"no {name}")
        if name == "selfsubjectaccessreviews":
            return answer({"status": {"allowed": self.allowed}}, 201)
        items = [{"metadata": {"name": "bash", "namespace": "default", "resourceVersion": "1"}}]
        return answer({"metadata": {}, "items": items if name == "runtimes" else []})


CLUSTERS = {
    "well, with an empty pool": (Cluster(), {"server": "ok", "rights": "ok", "Runtime bash": "warn"}),
    "without rights": (Cluster(allowed=False), {"rights": "fail"}),
    "without definitions": (Cluster(definitions=False), {"resource runs.kruntimes.io": "fail"}),
}


@pytest.mark.parametrize(("cluster", "want"), CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_is_looked_at(cluster: Cluster, want: dict[str, str]) -> None:
    found = list(check_connection(Client(transport=FakeTransport(cluster))))
    levels = {finding.about: finding.level.value for finding in found}
    assert levels | want == levels
    assert all(finding.do for finding in found if finding.level is not Level.OK)
