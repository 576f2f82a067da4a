"""Waking people from real fleets: once per occurrence, whoever ticks, and never at the cost of a tick."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles.ear import Ear
from tests.e2e.stage import Stage, wait_until


@pytest.fixture
def ear() -> Iterator[Ear]:
    built = Ear()
    yield built
    built.close()


def failed(stage: Stage) -> Stage:
    """A fleet whose trainer cannot start, and is not tried again."""
    stage.declare(train={"command": ["false"]}, budget={"retries": {"user_error": 0}}).apply(code=None)
    wait_until(lambda: has_failed(stage), "the run has failed")
    return stage


def has_failed(stage: Stage) -> bool:
    """Whether that is on record, after one more tick."""
    stage.steady("reconcile", str(stage.spec), "--once")
    return stage.node()["run"]["state"] == "failed"


def test_a_run_that_failed_for_good_is_told_once_by_option_or_environment(stage: Stage, ear: Ear) -> None:
    once = ("reconcile", str(failed(stage).spec), "--once")
    stage.steady(*once, "--notify", ear.url)
    stage.steady(*once, STEADY_NOTIFY=f"{ear.url}  {ear.url}")
    assert ear.kinds == ["RunFailed"]
    assert ear.texts[0].startswith("f.t.main.0: 1 failures in a row by user_error, 0 retries allowed")
    assert ear.heard[0]["more"] == "steady why f/t/0"


def test_a_loop_tells_what_comes_and_that_it_is_over(stage: Stage, ear: Ear) -> None:
    failed(stage)
    loop = ("reconcile", str(stage.spec), "--every", "1s", "--notify", ear.url)
    stage.start(*loop)
    wait_until(lambda: ear.kinds == ["RunFailed"], "the failure is told")
    stage.declare(train={"hyperparameters": {"steps": 100_000, "seed": 7}}).apply()
    wait_until(lambda: ear.kinds == ["RunFailed", "Converged"], "that it is over is told")


def test_a_dead_target_is_said_and_is_no_fault_of_the_tick(stage: Stage, ear: Ear) -> None:
    ear.answers = 500
    done = stage.steady("reconcile", str(failed(stage).spec), "--once", "--notify", ear.url)
    assert "warning: http://127.0.0.1:" in done.stderr
    assert "was not told: it answers 500" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout


def test_a_target_that_is_none_is_refused_before_the_tick(stage: Stage) -> None:
    done = stage.steady("reconcile", str(stage.declare().spec), "--once", "--notify", "s3cret", code=64)
    assert "fix: write https://HOST/PATH" in done.stderr
    assert "s3cret" not in done.stderr
