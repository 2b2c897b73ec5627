"""Settings of the daemon: complete, or a message that names the variable."""

import pytest

from kruntimes_core.apps.daemon.settings import BadSetting, read_settings
from kruntimes_core.daemon.machine import Seat

LEAST = {
    "KRUNTIMES_NAMESPACE": "default",
    "KRUNTIMES_RUNTIME": "bash",
    "KRUNTIMES_POD_NAME": "bash-0",
    "KRUNTIMES_POD_UID": "u-1",
}


def test_a_daemon_needs_only_to_know_who_it_is() -> None:
    settings = read_settings(LEAST)

    assert settings.seat == Seat(namespace="default", pod="bash-0", pod_uid="u-1", runtime="bash")
    assert settings.endpoint == "unix:///run/kruntimes/runtime.sock"
    assert (settings.server_config, settings.capacity) == ("", {})
    assert (settings.lease, settings.daemon_timeout, settings.grace) == (15, 6, 30)


def test_what_the_runtime_grants_is_read() -> None:
    more = {"KRUNTIMES_CAPACITY": '{"cpu": 2000, "runs": 4}', "KRUNTIMES_SERVER_CONFIG": '{"a": 1}'}

    settings = read_settings(LEAST | more)

    assert settings.capacity == {"cpu": 2000, "runs": 4}
    assert settings.server_config == '{"a": 1}'


def test_an_empty_config_brings_nothing() -> None:
    assert read_settings(LEAST | {"KRUNTIMES_SERVER_CONFIG": "{}"}).server_config == ""


BAD = {
    "no name": ("KRUNTIMES_POD_NAME", ""),
    "capacity that is no JSON": ("KRUNTIMES_CAPACITY", "{"),
    "capacity that is no object": ("KRUNTIMES_CAPACITY", "[1]"),
    "capacity that is no whole number": ("KRUNTIMES_CAPACITY", '{"cpu": 0.5}'),
    "capacity that is a truth": ("KRUNTIMES_CAPACITY", '{"cpu": true}'),
    "negative capacity": ("KRUNTIMES_CAPACITY", '{"cpu": -1}'),
    "config that is no object": ("KRUNTIMES_SERVER_CONFIG", '"x"'),
    "a lease of words": ("KRUNTIMES_LEASE_SECONDS", "long"),
    "a lease of nothing": ("KRUNTIMES_LEASE_SECONDS", "0"),
    "an endless grace": ("KRUNTIMES_TERMINATION_GRACE_SECONDS", "inf"),
}


@pytest.mark.parametrize(("name", "value"), BAD.values(), ids=BAD.keys())
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read_settings(LEAST | {name: value})
