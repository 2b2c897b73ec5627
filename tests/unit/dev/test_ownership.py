"""Who has lost all owners is suspected; who has one left, or never had any, is not."""

from kruntimes_core.dev.objects import Dependent, Owner
from kruntimes_core.dev.ownership import Ownership
from kruntimes_core.kube.kinds import POD


def make(uid: str, *owners: str, leaving: bool = False) -> Dependent:
    references = tuple(Owner("v1", "Pod", owner, owner) for owner in owners)
    return Dependent(POD, "n", uid, uid, "1", references, leaving)


def test_an_object_without_owners_is_nobodys_business() -> None:
    ownership = Ownership()
    assert not ownership.put(make("a"))
    assert ownership.suspects() == []


def test_a_dependent_of_an_unknown_owner_is_suspected_until_the_owner_is_seen() -> None:
    ownership = Ownership()
    assert ownership.put(make("child", "parent"))
    ownership.put(make("parent"))
    assert ownership.suspects() == []


def test_the_end_of_an_owner_makes_its_dependents_suspected() -> None:
    ownership = Ownership()
    for item in (make("parent"), make("a", "parent"), make("b", "parent"), make("c", "other")):
        ownership.put(item)
    assert ownership.remove("parent") == ["a", "b"]


def test_one_owner_that_lives_is_enough() -> None:
    ownership = Ownership()
    for item in (make("one"), make("two"), make("child", "one", "two")):
        ownership.put(item)
    assert ownership.remove("one") == []
    assert ownership.remove("two") == ["child"]


def test_what_is_being_deleted_is_left_alone() -> None:
    ownership = Ownership()
    assert not ownership.put(make("child", "gone", leaving=True))


def test_a_change_of_owners_counts() -> None:
    ownership = Ownership()
    ownership.put(make("one"))
    ownership.put(make("child", "one"))
    ownership.put(make("child"))
    assert ownership.remove("one") == []
    assert ownership.get("child") == make("child")
