"""Removes from a shared API server what tests have made; never what the server needs, and no namespaces."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kruntimes
from kruntimes._wire import MERGE_PATCH, Request, to_json
from kruntimes.kubeconfig import from_files

from kruntimes_core.dev.crds import load_crds

KINDS = {
    "/api/v1": ("pods", "configmaps", "secrets", "serviceaccounts", "events"),
    "/apis/apps/v1": ("deployments", "replicasets"),
    "/apis/coordination.k8s.io/v1": ("leases",),
    "/apis/kruntimes.io/v1alpha1": ("runs", "runtimes"),
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DELETE_NOW = to_json({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})


def clean_up(kubeconfig: Path) -> None:
    """Delete every object of every namespace but the server's own, and every CRD that is not ours."""
    with kruntimes.Client(from_files([kubeconfig])) as client:
        for group, plurals in KINDS.items():
            for plural in plurals:
                for item in client.ask(Request("GET", f"{group}/{plural}"))["items"]:
                    metadata = item["metadata"]
                    if not metadata["namespace"].startswith("kube-"):
                        where = f"{group}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"
                        remove(client, where, metadata)
        ours = {crd["metadata"]["name"] for crd in load_crds()}
        for item in client.ask(Request("GET", CRDS))["items"]:
            if item["metadata"]["name"] not in ours:
                remove(client, f"{CRDS}/{item['metadata']['name']}", item["metadata"])


def remove(client: kruntimes.Client, path: str, metadata: Mapping[str, Any]) -> None:
    """Delete one object for good, whatever holds it."""
    try:
        if metadata.get("finalizers"):
            free = to_json({"metadata": {"finalizers": None}})
            client.ask(Request("PATCH", path, body=free, content_type=MERGE_PATCH))
        client.ask(Request("DELETE", path, body=DELETE_NOW))
    except kruntimes.NotFound:
        pass  # gone meanwhile
