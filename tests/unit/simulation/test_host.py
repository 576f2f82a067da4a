"""When a simulated machine's agent looks: often enough to miss nothing, and no oftener."""

from __future__ import annotations

from lifecycle.adapters.simulated.trainer import Habits
from lifecycle.simulation.host import Host
from lifecycle.simulation.world import World, a_fleet


def a_training_world() -> tuple[World, Host]:
    """One node, its agent past its first looks, its trainer's first checkpoint ten minutes away."""
    world = World(habits=lambda _: Habits(every=600.0))
    seat = world.seat("controller")
    world.apply(a_fleet(1), seat)
    for _ in range(4):
        world.tick(seat, "f")
        world.timeline.run_for(30.0)
    (host,) = world.hosts.values()
    return world, host


def looks(host: Host) -> list[float]:
    """The moments at which its agent looks from now on."""
    assert host.agent is not None
    at, step = list[float](), host.agent.step

    def counted() -> float:
        at.append(host._site.timeline.monotonic())
        return step()

    host.agent.step = counted  # type: ignore[method-assign]
    return at


def test_a_checkpoint_on_its_way_to_the_store_is_not_asked_for_every_second() -> None:
    world, host = a_training_world()
    at = looks(host)
    world.timeline.run_for(700.0)
    assert len(world.tracker.receipts("f", "f.t.main.0", 10)) == 1
    assert len(at) <= 3


def test_an_order_is_read_within_a_second_whatever_is_on_its_way() -> None:
    world, host = a_training_world()
    world.timeline.run_for(host.trainer.next_change() or 0.0)
    at, asked = looks(host), world.timeline.monotonic()
    host.told()
    world.timeline.run_for(2.0)
    assert at == [asked + 1.0]
