"""The last guard as Pulumi's hooks. They run beside the program's own loop and never block it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pulumi

from lifecycle.model.errors import SteadyError
from lifecycle.model.records import Placement
from lifecycle.model.tags import INCARNATION, NODE

_REFUSAL = re.compile(
    r"RunInstances, .*(StatusCode: 4\d\d,.*api error|api error (Insufficient|RequestLimitExceeded))", re.DOTALL
)
"""How the AWS SDK for Go words a refusal to make a machine. Other server errors leave open what was done.

Source of the codes: EC2's "Error codes for the Amazon EC2 API", server errors.
"""


def refuses(error: str) -> bool:
    """Whether AWS said no: nothing was made."""
    return _REFUSAL.search(error) is not None


class Guard(Protocol):
    """`lifecycle.control.guard.LastGuard`, as far as hooks need it."""

    def before_create(self, placement: Placement, form: str) -> None: ...

    def made(self, node: str, incarnation: int, instance: str) -> None: ...

    def refused(self, node: str, incarnation: int) -> None: ...

    def before_update(self, node: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None: ...

    def before_delete(self, node: str, instance: str) -> str: ...

    def ended(self, node: str, incarnation: int) -> None: ...


def bound(
    guard: Guard, placements: Mapping[str, Placement], forms: Mapping[str, str]
) -> pulumi.ResourceHookBinding:
    """Hooks for every instance of a fleet. Their names are kept in the state: they are never renamed.

    What cannot be noted of a machine that is made, or gone, is a warning: the next tick sees it for itself.
    """

    def create(args: pulumi.ResourceHookArgs) -> None:
        node, _ = _which(args.new_inputs)
        guard.before_create(placements[node], forms[node])

    def made(args: pulumi.ResourceHookArgs) -> None:
        guard.made(*_which(args.new_inputs), args.id)

    def update(args: pulumi.ResourceHookArgs) -> None:
        node, _ = _which(args.old_inputs)
        guard.before_update(node, args.old_inputs or {}, args.new_inputs or {})

    def delete(args: pulumi.ResourceHookArgs) -> None:
        node, _ = _which(args.old_inputs)
        pulumi.log.info(f"{node}: {guard.before_delete(node, args.id)}")

    def ended(args: pulumi.ResourceHookArgs) -> None:
        guard.ended(*_which(args.old_inputs))

    return pulumi.ResourceHookBinding(
        before_create=[hook("steady-claim", create)],
        after_create=[hook("steady-made", made, noting=True)],
        before_update=[hook("steady-in-place", update)],
        before_delete=[hook("steady-drain", delete)],
        after_delete=[hook("steady-ended", ended, noting=True)],
        on_error=[_on_refusal(guard)],
    )


def hook(
    name: str, does: Callable[[pulumi.ResourceHookArgs], None], *, noting: bool = False
) -> pulumi.ResourceHook:
    """A hook whose failure fails the step, or, with `noting`, is a warning."""

    async def run(args: pulumi.ResourceHookArgs) -> None:
        try:
            await asyncio.to_thread(does, args)
        except SteadyError as refused:
            raise RuntimeError(refused.sentence) from None

    return pulumi.ResourceHook(name, run, pulumi.ResourceHookOptions(ignore_errors=noting))


def _on_refusal(guard: Guard) -> pulumi.ErrorHook:
    """A creation that AWS refused is known not to have happened. It is never tried again here."""

    async def refused(args: pulumi.ErrorHookArgs) -> bool:
        if args.failed_operation == "create" and args.errors and refuses(args.errors[0]):
            try:
                await asyncio.to_thread(guard.refused, *_which(args.new_inputs))
            except SteadyError as unnoted:
                pulumi.log.warn(f"{unnoted.what}; {unnoted.fix}")
        return False

    return pulumi.ErrorHook("steady-refused", refused)


def _which(inputs: Mapping[str, Any] | None) -> tuple[str, int]:
    """The node and the incarnation, as the machine's tags say."""
    tags = (inputs or {}).get("tags", {})
    return str(tags.get(NODE, "")), int(tags.get(INCARNATION, 0))
