"""When a spec may take the place of the one of record: every refusal, and the option that overrides it."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.errors import GuardRefused
from lifecycle.model.proving import SaveOutcome, SaveProof
from lifecycle.model.records import SpecRecord
from lifecycle.model.world import Observed
from lifecycle.planning.adoption import REMEMBERED, Consent, earlier, may_replace
from tests.builders import a_proof, a_record, a_spec, but, nothing_yet, training

ON_DEMAND, SPOT = a_spec(market="on_demand"), a_spec(market="spot")
ON_AWS = but(a_spec(), provider="aws", region="us-east-1")

REFUSED = {
    "take_over": (a_record(), a_record(source="/b.yaml"), "was applied from /specs/f.yaml", "--take-over"),
    "allow_empty": (a_record(), a_record(a_spec(nodes=0)), "would end every node of t", "--allow-empty"),
    "rollback": (
        a_record(earlier=("old",)),
        a_record(digest="old"),
        "was applied before generation 1",
        "--rollback",
    ),
    "accept_unproven": (a_record(ON_DEMAND), a_record(SPOT), "t would move from on_demand", "--accept-unproven"),
}


@pytest.mark.parametrize("option", REFUSED)
def test_a_refusal_says_why_and_names_the_option_that_overrides_it(option: str) -> None:
    standing, record, why, named = REFUSED[option]
    with pytest.raises(GuardRefused, match=why) as refused:
        may_replace(record, nothing_yet(record=standing), Consent())
    assert named in refused.value.fix
    may_replace(record, nothing_yet(record=standing), Consent(**{option: True}))


def test_no_option_moves_a_fleet_to_another_region() -> None:
    moved = a_record(but(ON_AWS, region="eu-west-1"))
    everything = Consent(allow_empty=True, take_over=True, rollback=True, accept_unproven=True)
    with pytest.raises(GuardRefused, match="does not move to eu-west-1"):
        may_replace(moved, nothing_yet(record=a_record(ON_AWS)), everything)


def test_a_first_spec_and_the_same_one_again_are_not_refused() -> None:
    may_replace(a_record(), nothing_yet(record=None), Consent())
    may_replace(a_record(), nothing_yet(record=a_record(earlier=("old",))), Consent())


def stood(*digests: str) -> SpecRecord:
    """The record after these texts were applied, one after the other."""
    record = a_record(digest=digests[0])
    for digest in digests[1:]:
        record = a_record(digest=digest, earlier=earlier(record, digest))
    return record


def test_the_texts_that_stood_before_are_remembered_in_order() -> None:
    assert stood("a", "b", "c").earlier == ("a", "b")
    assert stood("a", "b", "b").earlier == ("a",)


def test_a_text_that_stands_again_is_no_earlier_one() -> None:
    assert stood("a", "b", "a").earlier == ("b",)


def test_so_many_are_remembered() -> None:
    digests = [str(number) for number in range(REMEMBERED + 5)]
    assert stood(*digests).earlier == tuple(digests[4:-1])


def moving(**changes: Any) -> Observed:
    return training(ON_DEMAND, record=a_record(ON_DEMAND), **changes)


def test_a_trainer_that_was_seen_to_save_when_asked_may_move_to_spot() -> None:
    may_replace(a_record(SPOT), moving(proofs={"f/t": a_proof(ON_DEMAND)}), Consent())


@pytest.mark.parametrize(
    "proofs",
    [
        {},
        {"f/t": a_proof(ON_DEMAND, outcome=SaveOutcome.FAILED)},
        {"f/t": a_proof(ON_DEMAND, fingerprint="another")},
        {"f/u": a_proof(ON_DEMAND)},
    ],
    ids=["never asked", "seen to fail", "of another train section", "of another pool"],
)
def test_other_saves_prove_nothing(proofs: dict[str, SaveProof]) -> None:
    with pytest.raises(GuardRefused, match="to spot"):
        may_replace(a_record(SPOT), moving(proofs=proofs), Consent())


def test_the_way_from_spot_and_new_pools_need_no_proof() -> None:
    may_replace(a_record(ON_DEMAND), nothing_yet(record=a_record(SPOT)), Consent())
    both = but(ON_DEMAND, pools={**ON_DEMAND.pools, "u": SPOT.pools["t"]})
    may_replace(a_record(both), nothing_yet(record=a_record(ON_DEMAND)), Consent())
