"""Where a run's time goes: training, or lost to one cause; nothing twice, nothing to nobody."""

from __future__ import annotations

from lifecycle.model.hours import Hours, ended, given_out, started, trained
from lifecycle.model.states import Cause


def test_before_the_first_start_it_is_the_controllers_time() -> None:
    found = started(given_out(Hours(), 100.0), 130.0)
    assert (found.lost, found.training, found.wall) == ({"controller": 30.0}, 0.0, 30.0)


def test_from_its_start_to_its_end_it_trains() -> None:
    assert ended(started(given_out(Hours(), 100.0), 100.0), 160.0, Cause.SPOT).training == 60.0


def test_what_follows_an_end_is_lost_to_what_ended_it() -> None:
    stopped = ended(started(given_out(Hours(), 0.0), 0.0), 60.0, Cause.SPOT)
    assert started(stopped, 75.0).lost == {"spot": 15.0}


def test_an_attempt_that_never_trained_passes_the_blame_on() -> None:
    stopped = ended(started(given_out(Hours(), 0.0), 0.0), 60.0, Cause.SPOT)
    assert started(ended(stopped, 70.0, Cause.HARDWARE), 90.0).lost == {"spot": 10.0, "hardware": 20.0}


def test_time_that_is_booked_is_never_booked_again_whatever_the_clocks_say() -> None:
    stopped = ended(started(given_out(Hours(), 0.0), 0.0), 60.0, Cause.SPOT)
    again = started(stopped, 40.0)
    assert (again.lost, again.training, again.until) == ({}, 60.0, 60.0)


def test_a_second_attempt_does_not_start_the_clock_anew() -> None:
    stopped = ended(started(given_out(Hours(), 0.0), 0.0), 60.0, Cause.SPOT)
    assert given_out(stopped, 65.0) == stopped


def test_what_trains_now_has_trained_until_now() -> None:
    training = started(given_out(Hours(), 0.0), 10.0)
    assert (trained(training, 50.0).training, trained(training, None).training) == (40.0, 0.0)


def test_what_does_not_train_does_not_train_longer() -> None:
    stopped = ended(started(given_out(Hours(), 0.0), 0.0), 60.0, Cause.SPOT)
    assert trained(stopped, 500.0) == stopped


def test_a_run_of_an_older_version_is_kept_time_of_from_now_on() -> None:
    found = ended(started(Hours(), 100.0), 160.0, None)
    assert (found.training, found.lost, found.wall) == (60.0, {}, 60.0)
