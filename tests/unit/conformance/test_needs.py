"""What is not offered is skipped, what the suite lacks is not run; neither is ever run or passed."""

from kruntimes.conformance.catalogue import Check, Manner, all_checks
from kruntimes.conformance.needs import Lack, lacking
from kruntimes.runtime.v1.capabilities_pb2 import Capabilities

from tests.unit.conformance.facts import make_facts, make_hello, make_pack


def of(identity: str) -> Check:
    return all_checks()[identity]


def test_nothing_is_lacking_for_core() -> None:
    assert lacking(of("ST-11"), make_facts()) is None


def test_a_capability_that_is_not_offered_skips() -> None:
    facts = make_facts(hello=make_hello(Capabilities()))

    assert lacking(of("WA-01"), facts) == Lack(True, "the server does not offer watch")


def test_a_fixture_that_cannot_be_skips_with_its_reason() -> None:
    facts = make_facts(pack=make_pack("noop", cannot={"sleep_60": "no clock"}))

    assert lacking(of("ST-01"), facts) == Lack(True, "fixture sleep_60: no clock")


def test_a_fixture_that_is_not_given_skips() -> None:
    assert lacking(of("CA-04"), make_facts()) == Lack(True, "fixture ignore_term: not given")


def test_a_provision_that_the_pack_does_not_state_skips() -> None:
    assert lacking(of("LC-02"), make_facts()) == Lack(True, "the pack does not provide process")


def test_a_hook_that_is_missing_is_not_run() -> None:
    facts = make_facts(pack=make_pack("noop", "sleep_60"))

    lack = lacking(of("RV-02"), facts)

    assert lack is not None
    assert not lack.skipped


def test_a_check_that_ends_the_server_is_not_run_on_one_that_is_given() -> None:
    check = of("DR-01")
    assert check.manner is Manner.OWN

    lack = lacking(check, make_facts())

    assert lack == Lack(False, "would end the server for others; needs --launch")
    assert lacking(check, make_facts(fresh=True)) is None
