"""The last guard as Pulumi's hooks. They run beside the program's own loop and never block it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pulumi

from lifecycle.model.errors import SteadyError
from lifecycle.model.records import Placement
from lifecycle.model.tags import NODE


class Guard(Protocol):
    """`lifecycle.control.guard.LastGuard`, as far as hooks need it."""

    def before_create(self, placement: Placement) -> None: ...

    def before_update(self, node: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None: ...

    def before_delete(self, node: str, instance: str) -> str: ...


def bound(guard: Guard, placements: Mapping[str, Placement]) -> pulumi.ResourceHookBinding:
    """Hooks for every instance of a fleet. Their names are kept in the state: they are never renamed."""

    def create(args: pulumi.ResourceHookArgs) -> None:
        guard.before_create(placements[_node(args.new_inputs)])

    def update(args: pulumi.ResourceHookArgs) -> None:
        guard.before_update(_node(args.old_inputs), args.old_inputs or {}, args.new_inputs or {})

    def delete(args: pulumi.ResourceHookArgs) -> None:
        node = _node(args.old_inputs)
        pulumi.log.info(f"{node}: {guard.before_delete(node, args.id)}")

    return pulumi.ResourceHookBinding(
        before_create=[_hook("steady-claim", create)],
        before_update=[_hook("steady-in-place", update)],
        before_delete=[_hook("steady-drain", delete)],
    )


def _node(inputs: Mapping[str, Any] | None) -> str:
    return str((inputs or {}).get("tags", {}).get(NODE, ""))


def _hook(name: str, does: Callable[[pulumi.ResourceHookArgs], None]) -> pulumi.ResourceHook:
    async def run(args: pulumi.ResourceHookArgs) -> None:
        try:
            await asyncio.to_thread(does, args)
        except SteadyError as refused:
            raise RuntimeError(f"{refused.what}; {refused.fix}") from None

    return pulumi.ResourceHook(name, run)
