"""A report as a table for people and as JUnit XML for CI. Pure; decides no verdict."""

from collections.abc import Iterator
from xml.etree import ElementTree

from google.protobuf import json_format

from kruntimes.conformance.catalogue import Check
from kruntimes.conformance.report import Outcome, Report, Verdict


def line(outcome: Outcome) -> str:
    """One outcome as a line of text."""
    check = outcome.check
    words = f"{check.id}  {outcome.verdict.value:<11}  {check.name}"
    if outcome.verdict in (Verdict.PASSED, Verdict.FAILED):
        words = f"{words:<58} {outcome.seconds:6.2f} s"
    if outcome.verdict is Verdict.FAILED:
        return f"{words}\n       rule: {check.rule}\n       seen: {outcome.why}"
    return f"{words}: {outcome.why}" if outcome.why else words


def table(report: Report, verbose: bool = False) -> Iterator[str]:
    """The lines that a person wants to read; `verbose` also tells of checks that are not written yet."""
    yield f"{report.hello.server} {report.hello.server_version}, feature level {report.hello.feature_level}"
    yield "capabilities: " + ", ".join(capabilities(report))
    for outcome in report.outcomes:
        if verbose or outcome.verdict is not Verdict.NOT_WRITTEN:
            yield line(outcome)
    yield ", ".join(f"{report.count(verdict)} {verdict.value}" for verdict in Verdict) + (
        f", in {report.seconds:.1f} s"
    )
    for outcome in report.surprises:
        if outcome.verdict is Verdict.PASSED:
            yield f"{outcome.check.id} passes and is listed as known to fail; take it off the list"
    yield report.badge()


def capabilities(report: Report) -> list[str]:
    """The names of what the server offers, in the JSON form of the message."""
    offered = json_format.MessageToDict(report.hello.capabilities)
    workload = [f"workload.{name}" for name, value in offered.get("workload", {}).items() if value is True]
    return sorted([*offered, *workload])


def explanation(check: Check) -> Iterator[str]:
    """What a check proves and when it is run."""
    yield f"{check.id} {check.name} (priority {check.priority})"
    yield f"  rule:     {check.rule}"
    yield f"  needs:    {', '.join(check.needs) or 'nothing beyond Core'}"
    yield f"  fixtures: {', '.join(check.fixtures) or 'none'}"
    yield f"  runs:     {'not written yet' if check.code is None else check.manner.value}"


def junit(report: Report) -> bytes:
    """The report as JUnit XML."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"kruntimes-conformance {report.hello.server}",
        tests=str(len(report.outcomes)),
        failures=str(len(report.surprises)),
        skipped=str(sum(one.verdict not in (Verdict.PASSED, Verdict.FAILED) for one in report.outcomes)),
        time=f"{report.seconds:.3f}",
    )
    surprises = {one.check.id for one in report.surprises}
    for one in report.outcomes:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"conformance.{one.check.id[:2]}",
            name=f"{one.check.id} {one.check.name}",
            time=f"{one.seconds:.3f}",
        )
        if one.check.id in surprises:
            why = one.why or "passes and is listed as known to fail"
            ElementTree.SubElement(case, "failure", message=_legal(why)).text = _legal(one.check.rule)
        elif one.verdict is not Verdict.PASSED:
            why = f"known to fail: {one.why}" if one.verdict is Verdict.FAILED else one.why
            ElementTree.SubElement(case, "skipped", message=_legal(f"{one.verdict.value}: {why}"))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    written: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _legal(text: str) -> str:
    """`text` without the characters that XML cannot hold."""
    return "".join(one if one in "\t\n" or ord(one) >= 0x20 else "\N{REPLACEMENT CHARACTER}" for one in text)
