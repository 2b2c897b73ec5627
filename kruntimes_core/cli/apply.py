"""krt apply: makes the objects of manifests be as they say."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import YAMLError

HELP = "create the objects of a manifest, or change them to what it says"
# A field that there is not is a mistake: a limit that was meant and misspelt is no small matter.
STRICT = {"fieldValidation": "Strict"}
SUFFIXES = (".yaml", ".yml", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `krt apply`."""
    parser.add_argument(
        "-f", "--filename", action="append", required=True, metavar="FILE|DIR|-", help="manifests to apply"
    )


def run(args: argparse.Namespace) -> int:
    """Apply them in their order."""
    from kruntimes_core.cli.connect import connect

    documents = [found for path in args.filename for found in read_manifests(path)]
    with connect(args) as client:
        for document in documents:
            print(_apply(client, document))
    return 0


def _apply(client: Any, manifest: dict[str, Any]) -> str:
    from kruntimes import Conflict, NotFound
    from kruntimes._wire import MERGE_PATCH, Request, to_json

    from kruntimes_core.cli.merge import patch_for, with_record
    from kruntimes_core.cli.output import object_name
    from kruntimes_core.cli.resources import place_of_object

    place, name = place_of_object(client, manifest), manifest["metadata"]["name"]
    namespace = manifest["metadata"].get("namespace") or client.namespace
    path = place.path(namespace, name)
    try:
        live = client.ask(Request("GET", path))
    except NotFound:
        try:
            client.ask(Request("POST", place.path(namespace), STRICT, to_json(with_record(manifest))))
            return f"{object_name(manifest)} created"
        except Conflict:
            # Somebody was quicker, or our own first try whose answer was lost.
            live = client.ask(Request("GET", path))
    patch = patch_for(live, manifest)
    if not patch:
        return f"{object_name(manifest)} unchanged"
    client.ask(Request("PATCH", path, STRICT, to_json(patch), MERGE_PATCH))
    return f"{object_name(manifest)} configured"


def read_manifests(path: str) -> Iterator[dict[str, Any]]:
    """Return the objects in a file, in the files of a directory, or in our standard input."""
    import yaml

    from kruntimes_core.cli.failures import UsageError

    for name, text in _texts(path):
        try:
            documents = list(yaml.safe_load_all(text))
        except yaml.YAMLError as error:
            raise UsageError(f"{name} is not YAML: {_place(error)}\nmend it there") from error
        for document in documents:
            if document is None:
                continue
            if not isinstance(document, dict) or not (document.get("metadata") or {}).get("name"):
                raise UsageError(f"{name}: an object needs apiVersion, kind and metadata.name")
            yield document


def _place(error: "YAMLError") -> str:
    """Return where reading stopped and why, in one line."""
    return " ".join(str(error).split())


def _texts(path: str) -> Iterator[tuple[str, str]]:
    if path == "-":
        yield "standard input", sys.stdin.read()
    elif Path(path).is_dir():
        for file in sorted(Path(path).iterdir()):
            if file.suffix in SUFFIXES:
                yield str(file), file.read_text()
    else:
        yield path, Path(path).read_text()
