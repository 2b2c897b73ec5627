"""The SDK's client for the flags of a command; asks nothing by itself."""

import argparse

from kruntimes import Client
from kruntimes._client import find_access

# A person at a terminal wants to hear of a dead server soon.
PATIENCE_SECONDS = 1.5


def connect(args: argparse.Namespace) -> Client:
    """Return a client for --kubeconfig, --context and --namespace."""
    access = find_access(args.kubeconfig, args.context)
    return Client(access, namespace=args.namespace, patience=PATIENCE_SECONDS)
