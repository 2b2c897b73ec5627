"""Reports: what counts as a failure, which profiles are reached, and the forms they are written in."""

from dataclasses import replace
from xml.etree import ElementTree

from kruntimes.conformance.catalogue import all_checks
from kruntimes.conformance.faces import junit, table
from kruntimes.conformance.report import Outcome, Report, Verdict
from kruntimes.runtime.v1.capabilities_pb2 import Capabilities

from tests.unit.conformance.facts import EVERYTHING, make_hello


def make_report(*known_failing: str, can: Capabilities = EVERYTHING, **verdicts: Verdict) -> Report:
    """A report in which every written check passed but for those that are named, with '_' for '-'."""
    outcomes = []
    for one in all_checks().values():
        usual = Verdict.PASSED if one.code else Verdict.NOT_WRITTEN
        verdict = verdicts.get(one.id.replace("-", "_"), usual)
        outcomes.append(Outcome(one, verdict, "" if verdict is Verdict.PASSED else "a reason", 0.1))
    return Report(make_hello(can), tuple(outcomes), frozenset(known_failing), 1.0, 1.0)


def test_what_is_not_written_or_not_run_is_never_counted_as_passed() -> None:
    report = make_report(HS_03=Verdict.NOT_RUN, LC_02=Verdict.SKIPPED)

    written = sum(one.code is not None for one in all_checks().values())
    assert report.count(Verdict.PASSED) == written - 2
    assert report.surprises == []


def test_a_failure_is_a_surprise_unless_it_is_known() -> None:
    assert [one.check.id for one in make_report(ST_02=Verdict.FAILED).surprises] == ["ST-02"]
    assert make_report("ST-02", ST_02=Verdict.FAILED).surprises == []


def test_a_known_failure_that_passes_is_a_surprise() -> None:
    report = make_report("ST-02")

    assert [one.check.id for one in report.surprises] == ["ST-02"]
    assert "ST-02 passes and is listed as known to fail; take it off the list" in list(table(report))


def test_profiles_are_reached_without_failures_and_tell_what_was_not_run() -> None:
    assert make_report().reached() == ["core", "standard"]
    assert make_report(HS_03=Verdict.NOT_RUN).reached() == ["core (1 not run)", "standard"]
    assert make_report(ST_02=Verdict.FAILED).reached() == ["standard"]
    assert make_report("ST-02", ST_02=Verdict.FAILED).reached() == ["standard"]


def test_standard_is_not_reached_by_a_server_that_does_not_offer_it() -> None:
    without = Capabilities()
    without.CopyFrom(EVERYTHING)
    without.ClearField("drain")

    assert make_report(can=without).reached() == ["core"]


def test_a_profile_that_was_judged_in_part_is_not_reached() -> None:
    whole = make_report()

    part = replace(whole, outcomes=tuple(one for one in whole.outcomes if one.check.id != "ST-02"))

    assert part.reached() == ["standard"]


def test_the_badge_names_server_and_profiles() -> None:
    assert "core + standard | test 1 | protocol level 1" in make_report().badge()


def test_junit_has_a_case_for_each_check() -> None:
    report = make_report(ST_02=Verdict.FAILED, HS_03=Verdict.NOT_RUN)

    suite = ElementTree.fromstring(junit(report))[0]

    cases = {case.get("name", "")[:5]: case for case in suite}
    assert len(cases) == len(all_checks())
    assert suite.get("failures") == "1"
    failure = cases["ST-02"].find("failure")
    assert failure is not None
    assert failure.text == all_checks()["ST-02"].rule
    skipped = cases["HS-03"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not run: a reason"


def test_a_failure_is_shown_with_rule_and_what_was_seen() -> None:
    text = "\n".join(table(make_report(ST_02=Verdict.FAILED)))

    assert f"rule: {all_checks()['ST-02'].rule}\n       seen: a reason" in text


def test_the_json_form_has_every_check() -> None:
    report = make_report(ST_02=Verdict.FAILED)

    checks = report.as_json()["checks"]

    assert isinstance(checks, list)
    verdicts = {one["id"]: one["verdict"] for one in checks}
    assert (verdicts["ST-02"], verdicts["ST-03"], verdicts["PR-01"]) == ("FAILED", "passed", "not written")
