"""Tags: what makes a machine ours, and that nothing less does."""

from __future__ import annotations

import pytest

from lifecycle.model import tags
from lifecycle.model.ids import NodeName

OURS = tags.identity("owner-1", NodeName("f", "t", 0), 3)


def test_the_identity_names_owner_fleet_pool_node_and_incarnation() -> None:
    assert tuple(OURS.items()) == (
        ("steady:owner", "owner-1"),
        ("steady:fleet", "f"),
        ("steady:pool", "t"),
        ("steady:node", "f/t/0"),
        ("steady:incarnation", "3"),
    )


def test_the_identity_is_exactly_what_never_changes() -> None:
    assert tuple(OURS) == tags.IDENTITY


def test_a_machine_with_its_identity_is_ours() -> None:
    assert tags.owned(OURS, "owner-1", "f")


@pytest.mark.parametrize(("owner", "fleet"), [("owner-2", "f"), ("owner-1", "g"), ("", "f"), ("owner-1", "")])
def test_a_machine_of_another_owner_or_fleet_is_foreign(owner: str, fleet: str) -> None:
    assert not tags.owned(OURS, owner, fleet)


@pytest.mark.parametrize("missing", [tags.OWNER, tags.FLEET, tags.NODE, tags.INCARNATION])
def test_a_machine_that_lacks_a_part_of_its_identity_is_foreign(missing: str) -> None:
    assert not tags.owned({key: OURS[key] for key in OURS if key != missing}, "owner-1", "f")


def test_a_machine_without_tags_is_foreign() -> None:
    assert not tags.owned({}, "owner-1", "f")


def test_further_tags_do_not_matter() -> None:
    assert tags.owned({**OURS, "team": "llm", tags.STATE: "running"}, "owner-1", "f")


@pytest.mark.parametrize("key", [*tags.IDENTITY, tags.STATE, tags.RUN, tags.FINGERPRINT])
def test_no_key_has_a_slash_so_that_the_machine_can_read_it(key: str) -> None:
    assert "/" not in key
