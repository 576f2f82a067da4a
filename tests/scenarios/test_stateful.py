"""Any sequence of edits, notices, faults and commands that hypothesis thinks of; it shrinks what it finds.

After every tick the checker looks; at the end the faults stop, and all has to come out as declared, and stay so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from lifecycle.model.errors import SteadyError
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause
from lifecycle.simulation.host import Host
from lifecycle.simulation.seat import Killed
from lifecycle.simulation.world import a_fleet
from tests.scenarios.stage import FLEET, LEASE, WITHIN, KilledAt, Stage

NODES = st.sampled_from(["f/t/0", "f/t/1"])
EVENING = 700.0
"""Seconds in which every age gate passes, and the last `--for` runs out."""


class Fleet(RuleBasedStateMachine):
    """A fleet of one or two nodes, and whatever may befall it."""

    @initialize(nodes=st.sampled_from([1, 2]), market=st.sampled_from(["spot", "on_demand"]))
    def begin(self, nodes: int, market: str) -> None:
        self.stage = Stage(a_fleet(nodes, market=market))
        self.seat, self.deaths = self.stage.seat("c0"), 0
        self.stage.apply(self.seat)
        self.stage.settle(self.seat)

    # ---- controllers and time --------------------------------------------------------------------

    @rule(times=st.integers(1, 3))
    def tick(self, times: int) -> None:
        for _ in range(times):
            self.stage.tick(self.seat)
            self.stage.world.timeline.run_for(20.0)

    @rule(seconds=st.sampled_from([5.0, 61.0, 305.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.stage.world.timeline.run_for(seconds)

    @rule(calls=st.integers(0, 40))
    def a_controller_is_killed(self, calls: int) -> None:
        self.deaths += 1
        doomed = self.stage.seat(f"doomed-{self.deaths}", KilledAt(self.stage, calls))
        try:
            for _ in range(4):
                self.stage.tick(doomed)
                self.stage.pause()
        except Killed:
            self.stage.world.timeline.run_for(LEASE)

    @rule(verb=st.sampled_from(["create", "terminate", "list", "put order", "put incarnation"]))
    def an_answer_is_lost(self, verb: str) -> None:
        self.stage.lose_answer(verb)

    # ---- the cloud and the machines --------------------------------------------------------------

    @rule(node=NODES, lead=st.sampled_from([None, 0.0, 5.0, 39.0, 120.0]))
    def a_notice(self, node: str, lead: float | None) -> None:
        cause = Cause.REBALANCE if lead is None else Cause.SPOT
        for machine in self.stage.world.cloud.of_node(node):
            self.stage.world.cloud.notice(machine, cause, lead)

    @rule(node=NODES)
    def a_machine_breaks(self, node: str) -> None:
        for machine in self.stage.world.cloud.of_node(node):
            self.stage.world.cloud.take(machine)

    @rule(node=NODES)
    def a_machine_hangs(self, node: str) -> None:
        for host in self._hosts(node):
            host.trainer.power_cut()
            host.kill_agent()
            host.frozen = True
            self.stage.world.cloud.impair(host.instance)

    @rule(node=NODES)
    def an_agent_is_killed(self, node: str) -> None:
        for host in self._hosts(node):
            host.kill_agent()
            self.stage.world.timeline.after(2.0, host.start_agent)

    @rule(away=st.booleans())
    def the_store(self, away: bool) -> None:
        self.stage.world.store.away = away

    @rule(node=NODES)
    def someone_ends_it_in_the_console(self, node: str) -> None:
        for machine in self.stage.world.cloud.of_node(node):
            self.stage.world.cloud.terminate(machine)

    # ---- people ----------------------------------------------------------------------------------

    @rule(nodes=st.integers(0, 2), market=st.sampled_from(["spot", "on_demand"]), lr=st.sampled_from([0.1, 0.2]))
    def the_spec_is_edited(self, nodes: int, market: str, lr: float) -> None:
        pool: dict[str, Any] = {"market": market, "train": {"hyperparameters": {"lr": lr}}}
        self._typed(lambda: self.stage.apply(self.seat, nodes=nodes, **pool))

    @rule(node=NODES, expires=st.booleans())
    def stop(self, node: str, expires: bool) -> None:
        until = self.stage.world.timeline.now() + 500.0 if expires else None
        self._typed(lambda: self.seat.operator.stop(NodeName.parse(node), "a test", until))

    @rule(node=NODES, resume=st.booleans())
    def start(self, node: str, resume: bool) -> None:
        self._typed(lambda: self.seat.operator.start(NodeName.parse(node), resume=resume))

    @rule(node=NODES)
    def replace(self, node: str) -> None:
        self._typed(lambda: self.seat.operator.replace(NodeName.parse(node), "a test"))

    @rule(node=NODES)
    def checkpoint(self, node: str) -> None:
        self._typed(lambda: self.seat.operator.checkpoint(NodeName.parse(node)))

    @rule()
    def suspend(self) -> None:
        until = self.stage.world.timeline.now() + 300.0
        self._typed(lambda: self.seat.operator.suspend(FLEET, "a test", until))

    @rule()
    def destroy(self) -> None:
        self._typed(lambda: self.seat.operator.destroy(FLEET))

    # ---- the evening -----------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        stage, world = self.stage, self.stage.world
        stage.lost.clear()
        world.store.away = False
        for host in list(world.hosts.values()):
            host.frozen = False
            if host.agent is None:
                host.start_agent()
        world.timeline.run_for(EVENING)
        last = stage.seat("last")
        assert stage.settle(last, within=WITHIN) <= WITHIN, stage.story()
        assert stage.is_quiet(last, ticks=3), stage.story()
        assert stage.violations == []

    def _typed(self, act: Callable[[], object]) -> None:
        """A command may be refused; then nothing was changed."""
        try:
            act()
        except SteadyError:
            return

    def _hosts(self, node: str) -> list[Host]:
        return [host for host in self.stage.world.hosts.values() if host.node == node]


def run(examples: int, steps: int, *, derandomize: bool) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Fleet,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=derandomize,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_nothing_is_lost_and_all_comes_out_as_declared() -> None:
    run(60, 15, derandomize=True)


@pytest.mark.soak
def test_whatever_happens_in_a_long_night() -> None:
    run(3000, 40, derandomize=False)
