"""What the server adds to a built-in object: defaults, the two forms of an Event, the schemas it explains."""

from typing import Any

import pytest

from kruntimes_core.dev.apiserver import event_forms, kinds
from kruntimes_core.dev.apiserver.builtin import BUILTIN, faults
from kruntimes_core.dev.apiserver.defaults import defaulted, fresh, quality
from kruntimes_core.dev.apiserver.openapi import document
from kruntimes_core.dev.apiserver.resources import Registry

LARGE = {"cpu": "1", "memory": "1Gi"}
QUALITIES = {
    "BestEffort": [{}, {"resources": {}}],
    "Burstable": [{"resources": {"requests": {"cpu": "1"}}}, {}],
    "Guaranteed": [{"resources": {"requests": LARGE, "limits": LARGE}}],
}


@pytest.mark.parametrize(("want", "containers"), QUALITIES.items(), ids=QUALITIES)
def test_a_pod_is_promised_what_all_its_containers_ask(want: str, containers: list[dict[str, Any]]) -> None:
    assert quality({"containers": containers}) == want


IMAGES = {"a": "Always", "a:latest": "Always", "a:1": "IfNotPresent", "host:5000/a": "Always"}


@pytest.mark.parametrize(("image", "want"), IMAGES.items(), ids=IMAGES)
def test_an_image_without_a_fixed_tag_is_fetched_anew(image: str, want: str) -> None:
    pod = defaulted("Pod", {"spec": {"containers": [{"name": "a", "image": image}]}})
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == want


def test_limits_stand_for_requests_that_a_new_pod_lacks() -> None:
    containers = [{"name": "a", "resources": {"limits": LARGE, "requests": {"cpu": "500m"}}}]
    pod = fresh("Pod", {"metadata": {}, "spec": {"containers": containers}})
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}


def test_what_the_author_said_is_kept() -> None:
    spec = {"containers": [], "restartPolicy": "Never", "tolerations": [], "priority": 7}
    found = fresh("Pod", {"metadata": {}, "spec": spec})["spec"]
    assert {key: found[key] for key in spec} == spec


def test_defaults_added_twice_are_the_same() -> None:
    template = {"spec": {"containers": [{"name": "a", "readinessProbe": {}}], "volumes": [{"name": "v"}]}}
    once = defaulted("Deployment", {"spec": {"template": template}})
    assert defaulted("Deployment", once) == once
    assert once["spec"]["template"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "e", "namespace": "n"},
    "involvedObject": {"name": "r", "namespace": "n"},
    "message": "said",
    "count": 2,
}


def test_an_event_goes_from_one_form_to_the_other_and_back() -> None:
    new = event_forms.to_new(EVENT)
    assert (new["apiVersion"], new["note"], new["deprecatedCount"]) == ("events.k8s.io/v1", "said", 2)
    assert event_forms.to_core(new) == EVENT


def test_an_event_is_refused_that_is_of_another_namespace_or_says_too_little() -> None:
    assert faults("Event", EVENT, None) == []
    elsewhere = EVENT | {"involvedObject": {"namespace": "other"}}
    assert [str(each) for each in faults("Event", elsewhere, None)] == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]
    timed = EVENT | {"eventTime": "2026-01-01T00:00:00.000000Z", "reason": "R"}
    assert [each.path for each in faults("Event", timed, None)] == ["reportingController", "action"]


def test_every_built_in_kind_is_explained_with_all_it_refers_to() -> None:
    registry = Registry(BUILTIN)
    for resource in BUILTIN:
        address = f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"
        schemas = (document(registry, address) or {})["components"]["schemas"]
        schema = schemas[kinds.name_of(resource.group, resource.kind)]
        assert schema["description"], resource.kind
        assert schema["x-kubernetes-group-version-kind"][0]["kind"] == resource.kind
        assert kinds.closure(list(schemas), schemas).keys() == schemas.keys()
