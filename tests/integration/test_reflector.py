"""The reflector against a real API server that is killed and forgets: its copy ends up as the store is."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from kruntimes_core.kube.client import Client
from kruntimes_core.kube.errors import ApiError
from kruntimes_core.kube.kinds import CONFIG_MAP
from tests.integration.apiserver_process import serving_alone
from tests.integration.control_plane import Eyes, client_of, eyes_on, new_namespace

pytestmark = pytest.mark.integration
ROUNDS, EACH = 3, 40


async def churn(client: Client, namespace: str, turn: int) -> None:
    """Make, change and delete, whether or not the server answers just now."""
    for number in range(EACH):
        name = f"c{number}"
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"turn": str(turn)},
        }
        ref = CONFIG_MAP.named(namespace, name)
        writes = (
            client.create(CONFIG_MAP, namespace, body),
            client.patch(ref, {"data": {"at": str(number)}}),
        )
        for write in writes:
            try:
                await write
            except ApiError:
                await asyncio.sleep(0)
        if (number + turn) % 3 == 0:
            try:
                await client.delete(ref)
            except ApiError:
                await asyncio.sleep(0)


async def stored(client: Client, namespace: str) -> dict[str, Any]:
    listed = msgspec.json.decode(await client.list(CONFIG_MAP, namespace))
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed["items"]}


def seen(eyes: Eyes) -> dict[str, Any]:
    return {name: item["metadata"]["resourceVersion"] for name, item in eyes.items.items()}


async def test_after_kills_and_changes_the_copy_is_as_the_store() -> None:
    with serving_alone() as server:
        async with client_of(server.kubeconfig) as client:
            namespace = await new_namespace(client)
            async with eyes_on(client, CONFIG_MAP, namespace) as eyes:
                for turn in range(ROUNDS):
                    writing = asyncio.create_task(churn(client, namespace, turn))
                    await eyes.until(lambda: len(eyes.items) > EACH // 4)
                    server.kill()
                    server.start()
                    await writing
                    want = await stored(client, namespace)
                    await eyes.until(lambda: seen(eyes) == want)  # noqa: B023
                for history in eyes.versions.values():
                    assert history == sorted(history), "a version went back"
