"""Who we are to an API server: gives the Authorization header; never opens a connection."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class NoCredential:
    """The client certificate, if any, says who we are."""

    def authorization(self) -> str | None:
        """Give nothing to send."""
        return None


@dataclass(frozen=True)
class StaticToken:
    """A bearer token that never changes."""

    token: str

    def __repr__(self) -> str:
        return "StaticToken(...)"  # a token must not end in a log

    def authorization(self) -> str | None:
        """Give the token as a bearer."""
        return f"Bearer {self.token}"


class TokenFile:
    """A bearer token in a file that someone else renews."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._header = ""

    def authorization(self) -> str | None:
        """Give the file's token; the file is read again only when it was replaced."""
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen != self._seen:
            self._header = f"Bearer {self._path.read_text().strip()}"
            self._seen = seen
        return self._header


class PluginCredential:
    """A token that an exec plugin or auth provider makes; the `kubernetes` library runs it, and renews it."""

    def __init__(self, kubeconfig: str, context: str) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration: Any = None
        self._lock = threading.Lock()

    def authorization(self) -> str | None:
        """Give the plugin's token, asking the plugin when there is none yet or it ran out."""
        with self._lock:
            if self._configuration is None:
                self._configuration = self._load()
            header = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return None if header is None else str(header)

    def _load(self) -> Any:
        # Costs more than half a second to import, so only those who need a plugin pay for it.
        from kubernetes import client, config

        configuration = client.Configuration()
        load: Any = config.load_kube_config  # the library has no types
        load(self._kubeconfig, self._context, client_configuration=configuration)
        return configuration
