"""The small rules of a local server: who is admitted, limits, variables, outputs."""

import pytest
from kruntimes.runtime.v1.types_pb2 import Payload, RunSpec, Source, Workspace
from kruntimes.server import Refusal, RunKey

from runtime_servers.local.admission import admit, find_workspace
from runtime_servers.local.environment import Places, image_variables, variables
from runtime_servers.local.limits import rlimits
from runtime_servers.local.outputs import BadOutputs, parse_outputs
from runtime_servers.local.server import Settings

ROOTS = ("/w", "/real/w")


@pytest.mark.parametrize("path", ["/w/u-1", "/real/w/u-1", "/w//u-1", "/w/./u-1/"])
def test_a_workspace_is_found_below_either_name_of_the_root(path: str) -> None:
    assert find_workspace(path, ROOTS) == "u-1"


@pytest.mark.parametrize("path", ["/w", "/", "/etc", "/wx/u", "/w/.server", "/w/.server/x", "/w/a/../../etc"])
def test_a_workspace_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(Refusal, match="inside /w"):
        admit(RunSpec(workspace=Workspace(path=path)), ROOTS)


def test_without_a_shared_directory_no_workspace_is_taken() -> None:
    with pytest.raises(Refusal, match="KRUNTIMES_WORKSPACES"):
        admit(RunSpec(workspace=Workspace(path="/w/u")), ())
    admit(RunSpec(), ())


def test_a_source_must_have_the_digest_it_claims() -> None:
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    admit(RunSpec(source=Source(inline=Payload(inline=b""), digest=empty)), ())
    with pytest.raises(Refusal, match="digest"):
        admit(RunSpec(source=Source(inline=Payload(inline=b"x"), digest=empty)), ())


def test_limits_become_rlimits_by_name() -> None:
    assert rlimits({}) == (("CORE", 0), ("NOFILE", 65536))
    assert rlimits({"memory": 1 << 20, "cpu": 500, "runs": 1})[2:] == (("DATA", 1 << 20),)
    assert rlimits({"ephemeral-storage": 7})[2:] == (("FSIZE", 7),)


def test_a_programs_variables_win_over_the_images_and_ours_over_the_programs() -> None:
    image = image_variables({"PATH": "/image", "KRUNTIMES_TOKEN_FILE": "/t", "SECRET": "s", "TZ": ""})
    assert image == {"PATH": "/image", "LANG": "C.UTF-8"}
    spec = RunSpec(namespace="n", name="r", env={"PATH": "/own", "HOME": "/h", "KRUNTIMES_X": "x", "A": ""})
    found = variables(spec, RunKey("u", 2), Places("/w/u", "/s/tmp", "/s/out", "/s/res"), image)
    want = {"PATH": "/own", "LANG": "C.UTF-8", "HOME": "/h", "PWD": "/w/u", "TMPDIR": "/s/tmp", "A": ""}
    want |= {"KRUNTIMES_RUN_NAME": "r", "KRUNTIMES_RUN_UID": "u", "KRUNTIMES_NAMESPACE": "n"}
    want |= {"KRUNTIMES_ATTEMPT": "2", "KRUNTIMES_OUTPUTS": "/s/out", "KRUNTIME_OUTPUTS": "/s/out"}
    want |= {"KRUNTIMES_RESULT": "/s/res"}
    assert found == want


OUTPUTS = {
    "nothing": (b"", {}),
    "the last of a name counts": (b"a=1\nb=\na=2\n", {"a": "2", "b": ""}),
    "everything after the first sign is the value": (b"a==x = y ", {"a": "=x = y "}),
    "blank lines mean nothing": (b"\n  \na=1\n\n", {"a": "1"}),
    "what is no text is replaced": (b"a=\xff", {"a": "\ufffd"}),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_lines_of_name_and_value(name: str) -> None:
    data, want = OUTPUTS[name]
    assert parse_outputs(data) == want


@pytest.mark.parametrize("data", [b"a", b"a=1\n=2", b"a b=1", b"1a=1", b" a=1"])
def test_a_line_that_is_no_output_is_named(data: bytes) -> None:
    with pytest.raises(BadOutputs, match=rf"Line {1 + data.count(10)} "):
        parse_outputs(data)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1025", "1.5"])
def test_a_number_of_slots_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="KRUNTIMES_SLOTS"):
        Settings.of_environment({"KRUNTIMES_SLOTS": text})
    assert Settings.of_environment({"KRUNTIMES_SLOTS": "8"}) == Settings("", 8)
