"""A fleet looked at again and again: the last picture is kept, and what changed is told once."""

from __future__ import annotations

from lifecycle.model.world import Observed
from lifecycle.planning.progress import NoticeStatus
from lifecycle.planning.status import FleetStatus
from lifecycle.planning.watching import Sight, after_fault, after_look, age_in_words, changes, same
from tests.builders import NODE, NOW, a_hold, a_report, but, training
from tests.unit.cli.seeing import a_condition, a_fleet, a_node, going, saved
from tests.unit.planning.reading import planned


def looked(sight: Sight, observed: Observed, now: float = NOW) -> Sight:
    return after_look(sight, observed, planned(observed, now), now)


def told(before: FleetStatus, after: FleetStatus) -> list[str]:
    return list(changes(before, after))


def test_a_look_is_the_picture_of_now() -> None:
    sight = looked(Sight(fleet="f"), training())
    assert sight.status is not None
    assert (sight.status.sentence, sight.at, age_in_words(sight, NOW)) == ("1 training", NOW, "")


def test_two_looks_make_a_rate() -> None:
    first = looked(Sight(fleet="f"), training())
    later = training(reports={NODE: a_report(at=NOW + 4, step=150)})
    second = looked(first, later, NOW + 5).status
    assert second is not None
    assert second.nodes[0].run is not None
    assert second.nodes[0].run.steps_per_second == 4.0


def test_a_look_that_failed_keeps_the_last_picture_and_tells_its_age() -> None:
    sight = after_fault(looked(Sight(fleet="f"), training()), "the tracker is locked")
    assert sight.status is not None
    assert age_in_words(sight, NOW + 90) == "as it was 1m ago, nothing newer is known: the tracker is locked"


def test_a_provider_that_cannot_be_read_leaves_the_last_picture_too() -> None:
    blind = training(machines=None, unreadable="throttled")
    sight = looked(looked(Sight(fleet="f"), training()), blind, NOW + 8)
    assert sight.status is not None
    assert (sight.status.nodes[0].state, sight.at) == ("running", NOW)
    assert "the provider cannot be read (throttled)" in age_in_words(sight, NOW + 8)


def test_a_first_look_that_is_blind_is_shown_as_it_is() -> None:
    sight = looked(Sight(fleet="f"), training(machines=None, unreadable="throttled"))
    assert (sight.status is not None, sight.trouble) == (True, "")


def test_the_next_look_that_can_see_ends_the_trouble() -> None:
    sight = after_fault(looked(Sight(fleet="f"), training()), "locked")
    assert looked(sight, training(), NOW + 9).trouble == ""


def test_a_first_look_tells_every_node_and_the_sentence() -> None:
    assert list(changes(None, a_fleet(a_node(0), a_node(1, checkpoint=None)))) == [
        "demo/trainers/0 running, training: attempt 1, step 1400 of 2000; saved at 1380",
        "demo/trainers/1 running, training: attempt 1, step 1400 of 2000",
        "demo: as it is",
    ]


def test_time_and_steps_alone_are_no_change() -> None:
    before = a_node(notice=NoticeStatus(cause="spot", seconds_left=8.0), conditions=(a_condition("for 40s"),))
    after = a_node(
        run=going(step=1500, steps_per_second=9.0, seconds_left=1.0),
        checkpoint=saved(99),
        notice=NoticeStatus(cause="spot", seconds_left=4.0),
        conditions=(a_condition("for 44s"),),
    )
    assert same(a_fleet(before), a_fleet(after, sentence="other words"))


def test_a_new_checkpoint_is_a_change_of_its_node_alone() -> None:
    before, after = a_fleet(a_node(0), a_node(1)), a_fleet(a_node(0), a_node(1, checkpoint=saved(1, step=1400)))
    assert told(before, after) == [
        "demo/trainers/1 running, training: attempt 1, step 1400 of 2000; saved at 1400",
    ]


def test_a_notice_is_told_with_what_it_leaves() -> None:
    noticed = a_node(notice=NoticeStatus(cause="spot", seconds_left=8.0))
    node, fleet = told(a_fleet(), a_fleet(noticed, sentence="1 under notice, 8s left; 1 training"))
    assert node.endswith("saved at 1380; spot notice: 8s left")
    assert fleet == "demo: 1 under notice, 8s left; 1 training"


def test_a_condition_is_told_when_it_comes_and_when_it_goes() -> None:
    ill = a_fleet(a_node(conditions=(a_condition(),)))
    assert told(a_fleet(), ill)[0].endswith("; Healthy=Unknown AgentSilent: silent for 40s")
    assert len(told(ill, a_fleet())) == 1


def test_a_node_that_is_no_longer_there_is_gone() -> None:
    assert "demo/trainers/1 is gone" in told(a_fleet(a_node(0), a_node(1)), a_fleet(a_node(0)))


def test_a_hold_of_the_fleet_is_told_with_the_sentence() -> None:
    held = a_fleet(holds=(a_hold(node=None, reason="storm"),))
    sentence, hold = told(a_fleet(), held)
    assert (sentence, "storm" in hold) == ("demo: as it is", True)


def test_forgetting_reports_forgets_their_rates() -> None:
    first = looked(Sight(fleet="f"), training())
    assert looked(first, but(training(), reports={}), NOW + 1).paces == {}
