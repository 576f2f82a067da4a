"""A lane's picture: a path for each kind of thing, a sign for each end, and all of it in words."""

from __future__ import annotations

from typing import Any

from lifecycle.planning.lanes import Lane, Sign, Stay, Trial
from lifecycle.report.axis import TICKS, UNITS, Axis
from lifecycle.report.timeline import LETTERS, drawn, label

DAY = Axis(0.0, 86400.0)
TENTH = 8640.0


def a_lane(**changes: Any) -> Lane:
    empty: dict[str, Any] = {"stays": (), "trials": (), "saves": (), "notices": (), "holds": ()}
    return Lane(node="f/t/0", **{**empty, **changes})


def a_trial(**changes: Any) -> Trial:
    fields = {"attempt": 1, "given": 0.0, "begin": 0.0, "end": TENTH, "outcome": "interrupted", "cause": "spot"}
    return Trial(**{**fields, "lost_from": None, **changes})


def test_what_trained_is_one_path_whatever_its_pieces() -> None:
    trials = (a_trial(), a_trial(attempt=2, given=2 * TENTH, begin=2 * TENTH, end=None, outcome=None))
    assert '<path d="M0 18h200M400 18h1600" class="train"/>' in drawn(a_lane(trials=trials), DAY)


def test_a_machine_is_drawn_by_its_market() -> None:
    stays = (
        Stay(begin=0, end=TENTH, market="spot", incarnation=1),
        Stay(begin=TENTH, end=None, market="on_demand", incarnation=2),
    )
    found = drawn(a_lane(stays=stays), DAY)
    assert 'd="M0 32h200" class="spot"' in found
    assert 'd="M200 32h1800" class="demand"' in found


def test_work_that_was_lost_is_drawn_over_what_trained() -> None:
    found = drawn(a_lane(trials=(a_trial(lost_from=TENTH / 2),)), DAY)
    assert found.index('class="train"') < found.index('d="M100 18h100" class="lost"')


def test_saves_are_ticks_and_many_of_them_a_rail() -> None:
    found = drawn(a_lane(saves=(TENTH, *(5 * TENTH + n * 60 for n in range(20)))), DAY)
    assert 'd="M200 25v4M1000 25v4m0-2H1026m0-2v4" class="save"' in found


def test_an_end_has_the_sign_of_its_cause_and_says_what_it_was() -> None:
    found = drawn(a_lane(trials=(a_trial(),)), DAY)
    assert (
        '<use href="#c-spot" x="10.0%" y="6"><title>attempt 1 interrupted by spot, 1 Jan 02:24</title></use>'
        in found
    )


def test_an_attempt_that_completed_has_a_sign_of_its_own() -> None:
    assert "#c-completed" in drawn(a_lane(trials=(a_trial(outcome="completed", cause=None),)), DAY)


def test_an_attempt_that_never_started_has_no_sign() -> None:
    assert "<title>" not in drawn(a_lane(trials=(a_trial(outcome="void", cause=None),)), DAY)


def test_a_notice_is_told_by_the_end_that_follows_it() -> None:
    notice = Sign(at=TENTH - 90, cause="spot", said="")
    assert "notice of" not in drawn(a_lane(trials=(a_trial(),), notices=(notice,)), DAY)
    assert "notice of spot" in drawn(a_lane(notices=(notice,)), DAY)


def test_a_hold_that_stands_reaches_to_the_end() -> None:
    assert 'd="M1800 17h200" class="hold"' in drawn(a_lane(holds=((9 * TENTH, None),)), DAY)


def test_all_of_it_is_said_in_words() -> None:
    said = label(a_lane(trials=(a_trial(),), saves=(1.0, 2.0)))
    assert said == "1 attempts, 2 saves, 0 notices, 0 machines; attempt 1 interrupted by spot 1 Jan 02:24"


def test_every_cause_has_a_letter_of_its_own() -> None:
    from lifecycle.model.states import Cause

    assert set(LETTERS) == set(Cause)
    assert len(set(LETTERS.values())) == len(LETTERS)


def test_what_lies_outside_is_drawn_at_the_edge() -> None:
    assert (DAY.x(-5), DAY.x(1e9)) == (0, UNITS)


def test_ticks_are_round_and_few_whatever_the_time_shown() -> None:
    for hours in (0.1, 1, 7, 72, 24 * 400):
        ticks = list(Axis(1000.0, 1000.0 + hours * 3600).ticks())
        assert len(ticks) <= TICKS + 1
        assert all(at % 60 == 0 for at in ticks)
