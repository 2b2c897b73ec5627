"""What the Pod tells its daemon, read once from the environment; never looks at anything else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kruntimes_core.daemon.machine import Seat


class BadSetting(ValueError):
    """A setting is missing or wrong; the message names the variable and what it should hold."""


@dataclass(frozen=True)
class Settings:
    """Everything a daemon is told. Times are in seconds."""

    seat: Seat
    endpoint: str
    token_file: str
    workspaces: str
    server_config: str
    capacity: Mapping[str, int]
    lease: float
    grace: float

    @property
    def daemon_timeout(self) -> float:
        """How long the server goes on without a call: short enough for its Runs to end before successors.

        A daemon may die a whole renewal (a third of the lease) after it renewed last, and a server gives
        its Runs a third of this time to end in: 5 + 6 + 2 of 15 seconds.
        """
        return self.lease * 2 / 5


def read_settings(env: Mapping[str, str]) -> Settings:
    """The settings of a daemon, or BadSetting."""
    seat = Seat(
        namespace=_required(env, "KRUNTIMES_NAMESPACE"),
        runtime=_required(env, "KRUNTIMES_RUNTIME"),
        pod=_required(env, "KRUNTIMES_POD_NAME"),
        pod_uid=_required(env, "KRUNTIMES_POD_UID"),
    )
    return Settings(
        seat=seat,
        endpoint=env.get("KRUNTIMES_ENDPOINT") or "unix:///run/kruntimes/runtime.sock",
        token_file=env.get("KRUNTIMES_TOKEN_FILE") or "/run/kruntimes/token",
        workspaces=env.get("KRUNTIMES_WORKSPACES") or "/workspaces",
        server_config=_json_object(env, "KRUNTIMES_SERVER_CONFIG")[0],
        capacity=_capacity(env),
        lease=_seconds(env, "KRUNTIMES_LEASE_SECONDS", 15.0),
        grace=read_grace(env),
    )


def read_grace(env: Mapping[str, str]) -> float:
    """How long the Pod may take to end."""
    return _seconds(env, "KRUNTIMES_TERMINATION_GRACE_SECONDS", 30.0)


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise BadSetting(f"{name} is not set; the pool's Deployment sets it in every daemon")
    return value


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise BadSetting(f"{name} is {text!r}; it should be a number of seconds above zero")
    return seconds


def _json_object(env: Mapping[str, str], name: str) -> tuple[str, dict[str, object]]:
    text = env.get(name, "")
    try:
        value = json.loads(text) if text else {}
    except ValueError as error:
        raise BadSetting(f"{name} is not JSON ({error}); it should hold an object") from None
    if not isinstance(value, dict):
        raise BadSetting(f"{name} is {text[:80]!r}; it should hold a JSON object")
    # An empty object brings nothing to the server, as no object does.
    return (text if value else ""), value


def _capacity(env: Mapping[str, str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, amount in _json_object(env, "KRUNTIMES_CAPACITY")[1].items():
        if isinstance(amount, bool) or not isinstance(amount, int) or amount < 0:
            raise BadSetting(
                f"KRUNTIMES_CAPACITY gives {amount!r} for {name!r}; it should be a whole number >= 0"
            )
        found[name] = amount
    return found
