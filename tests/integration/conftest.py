"""Which integration tests are about the embedded API server alone, and why; all others run on both."""

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
    "test_dev.py": "the process tree of krt dev up with its own API server in it",
}


def why_embedded_only(nodeid: str) -> str | None:
    """Return why a test is of no use against a real server; None when it is."""
    name = nodeid.rpartition("/")[2].partition("[")[0]
    return EMBEDDED_ONLY.get(name) or EMBEDDED_ONLY.get(name.partition("::")[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not is_real():
        return
    for item in items:
        reason = why_embedded_only(item.nodeid)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=f"about the embedded API server alone: {reason}"))
