"""Lifecycle tags for people: coarse, only what differs, at most so many a tick."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Label
from lifecycle.model.records import Outcome, Phase
from lifecycle.model.states import InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.labels import AT_ONCE
from tests.builders import (
    NODE,
    RUN,
    a_hold,
    a_machine,
    a_placement,
    a_report,
    a_run,
    a_spec,
    an_ended_attempt,
    but,
    nothing_yet,
    training,
)
from tests.unit.planning.reading import planned

AWS = but(a_spec(), provider="aws", region="us-east-1")


def labels(observed: Observed) -> tuple[Label, ...]:
    return planned(observed).labels


def worn(**changes: Any) -> dict[str, str]:
    (label,) = labels(training(AWS, **changes))
    return dict(label.tags)


def test_a_machine_that_trains_says_so_with_its_run() -> None:
    assert worn() == {"steady:state": "training", "steady:run": RUN}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RunState.STARTING, "idle"),
        (RunState.TRAINING, "training"),
        (RunState.CHECKPOINTING, "training"),
        (RunState.COMPLETED, "completed"),
        (RunState.FAILED, "failed"),
        (RunState.STOPPED, "idle"),
    ],
)
def test_states_are_coarse(state: RunState, told: str) -> None:
    assert worn(runs={RUN: a_run(state=state)})["steady:state"] == told


def test_a_run_that_is_not_on_this_machine_is_not_its_label() -> None:
    elsewhere = a_run(an_ended_attempt(incarnation=7, outcome=Outcome.INTERRUPTED))
    assert worn(runs={RUN: elsewhere}) == {"steady:state": "idle"}


def test_a_machine_that_is_off_says_so() -> None:
    assert worn(machines=(a_machine(state=InstanceState.STOPPED),))["steady:state"] == "stopped"


def test_a_machine_that_wears_its_label_is_left_alone_while_it_saves() -> None:
    machine = a_machine(tags={"steady:state": "training", "steady:run": RUN})
    saving = {NODE: a_report(phase=Phase.SAVING)}
    run = a_run(state=RunState.CHECKPOINTING)
    assert labels(training(AWS, machines=(machine,), reports=saving, runs={RUN: run})) == ()


def test_a_machine_that_is_ending_gets_no_label() -> None:
    assert labels(training(AWS, machines=(a_machine(ending=True),))) == ()


def test_machines_of_this_computer_wear_no_labels() -> None:
    assert labels(training()) == ()


def test_a_suspended_fleet_is_not_labelled() -> None:
    assert labels(training(AWS, holds=(a_hold(HoldKind.SUSPEND, node=None),))) == ()


def test_at_most_so_many_machines_are_labelled_in_one_tick() -> None:
    nodes = [f"f/t/{index}" for index in range(AT_ONCE + 5)]
    observed = nothing_yet(
        but(AWS, pools={"t": but(AWS.pools["t"], nodes=len(nodes))}),
        machines=tuple(a_machine(id=node, node=node) for node in nodes),
        placements={node: a_placement(node=node) for node in nodes},
    )
    assert len(labels(observed)) == AT_ONCE
