"""A small CI pipeline over this repository's own sources, as Runs on two members; leaves nothing behind."""

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

import kruntimes
import report
import sources
import steps
from control_plane import NotUp, control_plane
from kruntimes import kubeconfig
from leftovers import leftovers

ROOT: Final = Path(__file__).resolve().parents[2]
# For the whole of it; a Run that is not done by then is a failure of the system.
BOUND: Final = 100.0


def main() -> int:
    """Read the arguments and run the pipeline."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--hide-clone", action="store_true", help="let no Run of the work read this clone")
    tree = sources.read_tree(ROOT)
    return demonstrate(tree, steps.pipeline(tree, ROOT if parser.parse_args().hide_clone else None))


def demonstrate(tree: sources.Tree, wanted: list[steps.Step]) -> int:
    """Bring it up, run the pipeline, take it down, and say how it went."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="kruntimes-demo-"))
    ports: set[int] = set()
    rows: list[report.Row] = []
    print(f"{len(tree.files)} tracked files; starting the control plane in {folder}", flush=True)
    try:
        with control_plane(folder) as found:
            ports = port_of(found)
            print(f"up after {time.monotonic() - began:.1f} s; {len(wanted)} Runs on two members", flush=True)
            started = time.monotonic()
            with kruntimes.Client(kubeconfig.for_person(found)) as client:
                for row in ends(client, wanted):
                    rows.append(row)
                    print(report.ending(row, len(rows), len(wanted)), flush=True)
            wall = time.monotonic() - started
    except (NotUp, kruntimes.KruntimesError) as error:
        print(f"the pipeline could not be run: {error}", file=sys.stderr)
    finally:
        left = leftovers(folder, ports)
        shutil.rmtree(folder)
    if len(rows) < len(wanted):
        return 1
    order = {step.name: number for number, step in enumerate(wanted)}
    rows.sort(key=lambda row: order[row.step])
    print("", report.table(rows), "", report.receipt(rows, wall), sep="\n")
    return verdict(rows, left, time.monotonic() - began)


def verdict(rows: list[report.Row], left: list[str], spent: float) -> int:
    """The last lines, and the exit code."""
    bad = [row.step for row in rows if row.complaint]
    print()
    for line in left:
        print(f"left behind: {line}")
    if bad:
        print(f"not as they should: {', '.join(bad)}")
    well = f"{len(rows) - len(bad)} of {len(rows)} Runs ended as they should"
    print(report.work(rows))
    print(f"{well}; {len(left) or 'nothing'} left behind; {spent:.1f} s in all")
    return 1 if bad or left else 0


def ends(client: kruntimes.Client, wanted: list[steps.Step]) -> Iterator[report.Row]:
    """Submit every step and give each as soon as it has ended."""
    with ThreadPoolExecutor(max_workers=len(wanted)) as threads:
        futures = [threads.submit(end_of, client, step) for step in wanted]
        for future in as_completed(futures):
            yield future.result()


def end_of(client: kruntimes.Client, step: steps.Step) -> report.Row:
    """Run one step to its end and judge it."""
    options: kruntimes.RunOptions = {**step.options, "name": step.name}
    handle = client.run(steps.POOL, **options)
    if step.cancel:
        wait_until_running(handle)
        handle.cancel()
    result = handle.result(timeout=BOUND, check=False)
    complaint = step.complaint(result)
    if not complaint and report.out_of_order(result.timings):
        complaint = f"its receipt runs backwards: {result.timings}"
    return report.Row(step.name, result, complaint)


def wait_until_running(handle: kruntimes.Handle) -> None:
    """A Run that is to be cancelled at work must be at work first."""
    deadline = time.monotonic() + BOUND
    while handle.status().phase in ("Pending", "Scheduled") and time.monotonic() < deadline:
        time.sleep(0.05)


def port_of(found: Path) -> set[int]:
    """Where its API server listens."""
    return {int(port) for port in re.findall(r"server: https://[^:\s]+:(\d+)", found.read_text())}


if __name__ == "__main__":
    sys.exit(main())
