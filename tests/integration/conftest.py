"""Which integration tests are about one of the two API servers alone, and why; the others are about both."""

import pytest

from tests.integration.apiserver_process import is_real

EMBEDDED_ONLY = {
    "test_apiserver_durability.py::test_the_pages_of_a_list_end_with_the_server_that_began_it": (
        "etcd keeps what a page was made from; the embedded server forgets it"
    ),
    "test_apiserver_durability.py::test_a_stop_ends_open_watches": (
        "a real server waits a minute for its watchers to leave"
    ),
    "test_apiserver_logs.py": "reads the files of the embedded kubelet; a real server asks a kubelet",
    "test_apiserver_objects.py::test_server_side_apply_is_said_to_be_missing": "a real server has it",
    "test_apiserver_objects.py::test_orphans_lose_their_owner_and_stay": (
        "a real server leaves it to the garbage collector, which runs beside it in a whole cluster only"
    ),
    "test_apiserver_objects.py::test_requests_are_counted_by_who_makes_them": "its own count of requests",
    "test_apiserver_schema.py::test_a_function_of_kubernetes_own_is_said_to_be_missing": (
        "a real server has Kubernetes' own functions"
    ),
    "test_kubectl.py::test_what_only_a_program_can_send_is_answered_with_what_to_do": (
        "a real server reads protobuf of every kind"
    ),
    "test_krt.py::test_long_output_is_shown_whole": "a real server asks a kubelet for Pods' logs",
    "test_output.py": "a real server asks a kubelet for Pods' logs, and none answers beside it",
    "test_wheel.py": "installs from a package index, which the lane has no way to",
    "test_dev.py": "the process tree of krt dev up with its own API server in it",
}


REAL_ONLY = {
    "test_real_apiserver.py": "what etcd does, and more Runs than make test takes the time for",
    "test_cluster_lane.py::test_a_killed_server_takes_all_its_programs_along": "the programs that are it",
}


def reason_to_skip(nodeid: str) -> str | None:
    """Return why a test says nothing about the selected server; None when it does."""
    name = nodeid.rpartition("/")[2].partition("[")[0]
    listed, server = (EMBEDDED_ONLY, "embedded") if is_real() else (REAL_ONLY, "real")
    reason = listed.get(name) or listed.get(name.partition("::")[0])
    return reason and f"about the {server} API server alone: {reason}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        reason = reason_to_skip(item.nodeid)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
