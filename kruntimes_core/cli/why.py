"""krt why: tells why a Run is where it is, what it waits for, and where its time went."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HELP = "tell what a Run waits for, member by member, or where its time went"
# A server without Events, or one that does not show them to us, has nothing to say about a Run.
NO_EVENTS = frozenset({400, 403, 404})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt why`."""
    parser.add_argument("name", metavar="RUN", help="Run to explain")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="form of the answer")


def run(args: argparse.Namespace) -> int:
    """Explain it."""
    from kruntimes_core.cli.answers import answer_of
    from kruntimes_core.cli.connect import connect
    from kruntimes_core.cli.output import write_data
    from kruntimes_core.cli.resources import run_name
    from kruntimes_core.clock import SystemClock

    with connect(args) as client:
        found = client.read(run_name(args.name))
        now = SystemClock().now()
        explanation = _explain(client, found, now) if found.phase == "Pending" else None
        answer = answer_of(found, explanation, _events(client, found), now.wall)
    if args.output:
        write_data(answer, args.output)
    else:
        print("\n".join(lines_of(answer)))
    return 0


def _explain(client: Any, found: Any, now: Any) -> Any:
    from dataclasses import replace

    import msgspec

    from kruntimes_core.cli.snapshot import read_snapshot
    from kruntimes_core.kube.codec import decode_run
    from kruntimes_core.scheduling.books import open_books
    from kruntimes_core.scheduling.explanation import explain

    snapshot = read_snapshot(client, found.namespace, found.runtime)
    # It may have moved on since it was read; what is explained is what was read.
    others = tuple(run for run in snapshot.runs if run.uid != found.uid)
    own = decode_run(msgspec.json.encode(found.object))
    return explain(open_books(replace(snapshot, runs=(*others, own)), now), found.uid, now)


def _events(client: Any, found: Any) -> Sequence[Mapping[str, Any]]:
    from kruntimes import ApiError

    from kruntimes_core.cli.snapshot import list_objects
    from kruntimes_core.kube.kinds import EVENT

    query = {"fieldSelector": f"involvedObject.uid={found.uid}"}
    try:
        return list(list_objects(client, EVENT, found.namespace, query))
    except ApiError as error:
        if error.status not in NO_EVENTS:
            raise
        return []


def lines_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the answer for a person; the last line says what to do."""
    from kruntimes_core.cli.columns import in_columns

    blocks = [list(_head(answer))]
    if answer.get("members"):
        blocks.append(in_columns(list(_member_rows(answer))))
    if answer["receipt"]:
        blocks.append(in_columns(list(_receipt_rows(answer))))
    if answer["events"]:
        rows = [("EVENT", "AT", "SAYS")]
        rows += [(event["reason"], event["at"], event["message"]) for event in answer["events"]]
        blocks.append(in_columns(rows))
    return [line for block in blocks for line in (*block, "")] + [f"do: {answer['do']}"]


def _head(answer: Mapping[str, Any]) -> Iterator[str]:
    said = ": ".join(part for part in (answer["reason"], answer["message"]) if part)
    state = f"Run {answer['name']} of Runtime {answer['runtime']} is {answer['phase']}"
    yield f"{state} ({said})" if said else state
    where = f"on member {answer['member']}, " if answer["member"] else ""
    losses = f", {answer['losses']} members were lost under it" if answer["losses"] else ""
    if where or losses or answer["attempt"] > 1:
        yield f"{where}attempt {answer['attempt']}{losses}"
    if "waits" in answer:
        yield from _waiting(answer["waits"])


def _waiting(waits: Mapping[str, Any]) -> Iterator[str]:
    from kruntimes_core.cli.amounts import show_quantity, show_seconds

    wanted = ", ".join(f"{name} {show_quantity(name, text)}" for name, text in waits["requests"].items())
    reason = f" for {waits['for']}" if waits["for"] else ""
    yield f"it has waited {show_seconds(waits['seconds'])}{reason}; it asks for {wanted}"
    if waits["place"]:
        place = waits["place"]
        first = (
            f", {place['more_important']} of those in front by priority" if place["more_important"] else ""
        )
        yield f"place {place['number']} of {place['waiting']} that wait for this Runtime{first}"
    if waits["secondsLeft"] is not None:
        yield f"its queueTimeout ends it in {show_seconds(max(waits['secondsLeft'], 0.0))}"


def _member_rows(answer: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield a row for each member: what each filter says, and how much is free of what is asked for."""
    from kruntimes_core.cli.amounts import show_quantity

    filters, asked = list(answer["members"][0]["filters"]), list(answer["waits"]["requests"])
    yield ["MEMBER", "STATE", *(name.replace("_", " ").upper() for name in filters), "FREE"]
    for member in answer["members"]:
        verdicts = ["yes" if passes else "NO" for passes in member["filters"].values()]
        shares = [
            "/".join(show_quantity(name, member[part].get(name, "0")) for part in ("free", "capacity"))
            for name in asked
        ]
        free = ", ".join(f"{name} {share}" for name, share in zip(asked, shares, strict=True))
        yield [member["name"], member["state"], *verdicts, free]


def _receipt_rows(answer: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield a row for each step; to the microsecond, so that they can be seen to add up."""
    steps = [(step["seconds"], step["name"] + " (so far)" * step["open"]) for step in answer["receipt"]]
    shown = [f"{seconds * 1000:,.3f}" for seconds, _ in steps] + [f"{answer['total'] * 1000:,.3f}"]
    wide = max(map(len, shown))
    yield ["MS".rjust(wide), "WHERE THE TIME WENT"]
    yield from zip(
        (text.rjust(wide) for text in shown), [*(name for _, name in steps), "in all"], strict=True
    )
