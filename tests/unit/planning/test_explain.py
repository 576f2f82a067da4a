"""A plan in words: a golden text, its document, and the one line at the end."""

from __future__ import annotations

import textwrap

import pytest

from lifecycle.model.errors import GuardRefused
from lifecycle.model.money import Price
from lifecycle.model.plan import Action, Converge, Drift, Kind, Plan, Reason, Refusal, Save, Waiting
from lifecycle.model.records import Status
from lifecycle.planning import explain
from tests.builders import NODE, NOW, a_hold, a_placement, but, nothing_yet
from tests.unit.planning.reading import planned

REFUSED = Refusal(
    action=Kind.STOP,
    node="f/t/1",
    guard="without_checkpoint: refuse",
    evidence="its trainer did not save within 1m",
    override="steady allow-loss m2 --reason ...",
)
PLAN = Plan(
    fleet="f",
    generation=3,
    at=NOW,
    drift=(
        Drift(node=NODE, field="power", desired="on", actual="off", policy="restore"),
        Drift(node=NODE, field="train", desired="aa", actual="bb", policy="restore", preexisting=False),
    ),
    actions=(
        Action(
            kind=Kind.STOP,
            node=NODE,
            reason=Reason(cause="operator", evidence="stop by somebody: lunch"),
            steps=(),
            lost_steps=30,
            cost_per_hour=-1.5,
        ),
        Action(
            kind=Kind.CREATE,
            node="f/t/2",
            reason=Reason(cause="spec", evidence="declared, and no machine fills it"),
            steps=(Converge(placement=a_placement(node="f/t/2", instance_type="g5", zone="a")),),
            cost_per_hour=13.9,
            price=Price(dollars=13.9, at=NOW - 600, source="list price"),
        ),
    ),
    refusals=(REFUSED,),
    waiting=(Waiting(node="f/t/3", what="its agent to be ready", until=NOW),),
    holds=(a_hold(until=NOW + 7200),),
    saves=(
        Save(pool="f/s", status=Status.UNKNOWN, message="never tried", fits=True),
        Save(pool="f/t", status=Status.TRUE, message="saved in 3s", fits=True),
    ),
)
GOLDEN = """\
    Observed drift
      f/t/0  power: declared on, found off (policy: restore)

    Desired changes
      f/t/0  train: declared aa, found bb (policy: restore)

    Held
       = f/t/0: stop by somebody since 2027-01-15 07:59 UTC until 2027-01-15 10:00 UTC: lunch

    Actions
       ‖ checkpoint-stop  f/t/0  operator: stop by somebody: lunch  at most 30 steps lost  -$1.50/h
       + create  f/t/2  spot g5 a  spec: declared, and no machine fills it  +$13.90/h (list price, 10m old)

    Refused
       ! checkpoint-stop  f/t/1  without_checkpoint: refuse: its trainer did not save within 1m
         override: steady allow-loss m2 --reason ...

    Under way
       … f/t/3  its agent to be ready

    Saves on request
       ! f/s  CheckpointOnStop=Unknown: never tried
       ✓ f/t  CheckpointOnStop=True: saved in 3s

    Plan: 1 to create, 0 to replace, 1 to checkpoint-stop, 0 to destroy. +$12.40/h, at most 30 steps lost."""


def test_the_whole_plan_reads_as_agreed() -> None:
    assert explain.text(PLAN) == textwrap.dedent(GOLDEN)


def test_what_leaves_is_not_said_to_be_of_anything() -> None:
    away = but(PLAN.actions[1], kind=Kind.DESTROY)
    assert "destroy  f/t/2  spec: " in explain.text(but(PLAN, actions=(away,)))


def test_a_plan_of_nothing_is_its_last_line() -> None:
    assert explain.text(Plan(fleet="f", generation=1)) == (
        "Plan: 0 to create, 0 to replace, 0 to checkpoint-stop, 0 to destroy. +$0.00/h, at most 0 steps lost."
    )


def test_the_document_of_a_plan_is_what_scripts_read() -> None:
    assert explain.document(PLAN) == {
        "fleet": "f",
        "drift": [
            {
                "node": NODE,
                "field": "power",
                "desired": "on",
                "actual": "off",
                "policy": "restore",
                "preexisting": True,
            },
            {
                "node": NODE,
                "field": "train",
                "desired": "aa",
                "actual": "bb",
                "policy": "restore",
                "preexisting": False,
            },
        ],
        "holds": [
            {
                "id": "stop-1",
                "fleet": "f",
                "kind": "stop",
                "reason": "lunch",
                "by": "somebody",
                "at": NOW - 10,
                "node": NODE,
                "until": NOW + 7200,
            }
        ],
        "actions": [
            {
                "kind": "checkpoint-stop",
                "node": NODE,
                "instance_type": None,
                "zone": None,
                "reason": {"cause": "operator", "evidence": "stop by somebody: lunch"},
                "lost_steps": 30,
                "cost_per_hour": -1.5,
                "price": None,
            },
            {
                "kind": "create",
                "node": "f/t/2",
                "instance_type": "g5",
                "zone": "a",
                "reason": {"cause": "spec", "evidence": "declared, and no machine fills it"},
                "lost_steps": 0,
                "cost_per_hour": 13.9,
                "price": {"per_hour": 13.9, "source": "list price", "age_seconds": 600.0},
            },
        ],
        "refusals": [
            {
                "action": "checkpoint-stop",
                "node": "f/t/1",
                "guard": "without_checkpoint: refuse",
                "evidence": "its trainer did not save within 1m",
                "override": "steady allow-loss m2 --reason ...",
            }
        ],
        "waiting": [{"node": "f/t/3", "what": "its agent to be ready", "until": NOW}],
        "saves": [
            {"pool": "f/s", "status": "Unknown", "message": "never tried", "fits": True, "measured": False},
            {"pool": "f/t", "status": "True", "message": "saved in 3s", "fits": True, "measured": False},
        ],
        "summary": explain.summary(PLAN),
    }


def test_a_real_plan_is_explained() -> None:
    assert explain.text(planned(nothing_yet())).splitlines()[:2] == [
        "Actions",
        "   + create  f/t/0  spec: declared, and no machine fills it",
    ]


@pytest.mark.parametrize("kind", [Kind.START, Kind.RESUME, Kind.SAVE])
def test_starts_and_saves_are_counted_when_there_are_any(kind: Kind) -> None:
    plan = but(PLAN, actions=(but(PLAN.actions[0], kind=kind),))
    assert f", 1 to {kind}." in explain.summary(plan)


def test_one_step_is_one_step() -> None:
    plan = but(PLAN, actions=(but(PLAN.actions[0], lost_steps=1),))
    assert explain.summary(plan).endswith("at most 1 step lost.")


def test_a_price_that_is_not_known_makes_the_sum_unknown() -> None:
    plan = but(PLAN, actions=(PLAN.actions[0], but(PLAN.actions[1], cost_per_hour=None)))
    assert "$?/h" in explain.summary(plan)


@pytest.mark.parametrize(
    ("cost", "said"), [(None, "$?/h"), (0.0, "+$0.00/h"), (-0.0, "+$0.00/h"), (12.4, "+$12.40/h"), (-3, "-$3.00/h")]
)
def test_money_is_said_with_its_sign(cost: float | None, said: str) -> None:
    assert explain.money(cost) == said


def test_the_part_about_one_node_leaves_the_others_out() -> None:
    part = explain.for_node(PLAN, NODE)
    assert (len(part.drift), len(part.actions), part.refusals, part.waiting) == (2, 1, (), ())


def test_the_part_about_one_node_keeps_what_holds_up_the_whole_fleet() -> None:
    plan = but(PLAN, waiting=(Waiting(node="f", what="the provider's answer"),))
    assert explain.for_node(plan, NODE).waiting == plan.waiting


def test_a_plan_without_refusals_raises_nothing() -> None:
    explain.raise_refusals(but(PLAN, refusals=()))


def test_a_refusal_is_raised_with_its_override() -> None:
    with pytest.raises(GuardRefused, match=r"f/t/1: checkpoint-stop refused by without_checkpoint") as error:
        explain.raise_refusals(PLAN)
    assert error.value.fix == REFUSED.override


def test_more_refusals_are_counted() -> None:
    with pytest.raises(GuardRefused, match=r"\(and 2 more\)"):
        explain.raise_refusals(but(PLAN, refusals=(REFUSED,) * 3))
