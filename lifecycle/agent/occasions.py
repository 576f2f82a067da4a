"""The points of a node's life at which hooks run, and what their failure holds back."""

from __future__ import annotations

from typing import Any

import msgspec

from lifecycle.agent.hooks import HookKeeper
from lifecycle.agent.memory import Memory
from lifecycle.agent.reporting import Journal
from lifecycle.model.hooks import HookDone, HookPoint
from lifecycle.model.node import Last, NodeState
from lifecycle.model.records import Assignment, DrainClaim, Drained, DrainOutcome, Order
from lifecycle.planning import hooks
from lifecycle.planning.wants import Surroundings

SHOWN = 8
"""How many ended hooks a report tells of."""


class Occasions:
    """One machine's, in one boot of it. While a method says `None` or False, hooks are due or under way."""

    def __init__(self, instance: str, boot: str, keeper: HookKeeper, memory: Memory, journal: Journal) -> None:
        self._instance, self._at_boot = instance, hooks.at_boot(instance, boot)
        self._keeper, self._memory, self._journal = keeper, memory, journal

    @property
    def _state(self) -> NodeState:
        return self._memory.state

    @property
    def pending(self) -> bool:
        """An attempt has ended, and its hooks are not over."""
        return self._state.last is not None and self._state.last.demand is not None

    def shown(self, assignment: Assignment | None) -> tuple[HookDone, ...]:
        """The newest ended hooks; of `post_start` only this boot's, which decide whether anything starts here."""
        ours = {call.op_id for call in hooks.calls(assignment.hooks, self._at_boot)} if assignment else set()
        found = [d for d in self._state.hooked if d.point is not HookPoint.POST_START or d.op_id in ours]
        first = [d for d in found if d.blocks and d.point is HookPoint.POST_START]
        return (*first, *[d for d in found if d not in first][-SHOWN:])

    def take_up(self, order: Order | None) -> None:
        """A spec's hooks may change while its attempt lasts, and after."""
        ordered, state = order.assignment if order else None, self._state
        if ordered is None:
            return
        if state.assignment is not None:
            self._remember(assignment=_with_hooks(state.assignment, ordered))
        if state.last is not None and state.last.demand is None:
            renewed = _with_hooks(state.last.assignment, ordered)
            self._remember(last=msgspec.structs.replace(state.last, assignment=renewed))

    def may_start(self, assignment: Assignment, around: Surroundings, now: float) -> bool:
        """`post_start`: over, and none of them blocks."""
        ended = self._keeper.over(assignment, self._at_boot, around, now)
        return ended is not None and hooks.blocker(self._at_boot, ended, around) is None

    def seen_off(self, around: Surroundings, now: float) -> bool:
        """The hooks of the last attempt's end: over, and its drain answered."""
        last = self._state.last
        if last is None or last.demand is None:
            return True
        by = None
        for occasion in hooks.at_end(last.assignment, last.demand, self._instance):
            ended = self._keeper.over(last.assignment, occasion, around, now)
            if ended is None:
                return False
            by = by or hooks.blocker(occasion, ended, around)
        self._answer(last, by, now)
        return True

    def _answer(self, last: Last, by: HookDone | None, now: float) -> None:
        answer = last.answer
        if answer is not None and by is not None:
            answer = self._refused(answer.drain, by, answer, now)
        self._remember(
            last=msgspec.structs.replace(last, demand=None, answer=None), drained=answer or self._state.drained
        )

    def emptied(self, claim: DrainClaim, around: Surroundings, now: float) -> Drained | None:
        """The answer to a drain of a machine where nothing trains."""
        last, end, by = self._state.last, self._state.ended, None
        if last is None and self._state.hook is not None:
            return None
        if last is not None:
            occasion = hooks.at_drain(last.assignment, claim.drain, claim)
            ended = self._keeper.over(last.assignment, occasion, around, now)
            if ended is None:
                return None
            by = hooks.blocker(occasion, ended, around)
        answer = Drained(
            drain=claim.drain,
            outcome=DrainOutcome.EMPTY,
            at=now,
            step=end.step if end else None,
            receipt=end.receipt if end else None,
        )
        return answer if by is None else self._refused(claim.drain, by, answer, now)

    def powered_off(self, around: Surroundings, now: float) -> bool:
        """Before a machine that is done powers itself off: its hooks run, and block nothing."""
        last = self._state.last
        if last is None:
            return True
        occasion = hooks.alone(last.assignment, self._instance)
        return self._keeper.over(last.assignment, occasion, around, now) is not None

    def _refused(self, drain: str, by: HookDone, answer: Drained, now: float) -> Drained:
        refusal = hooks.refused(drain, by, answer, now)
        self._remember(refused=(*self._state.refused, drain)[-20:])
        self._journal.note("drain refused", cause=by.cause or "", evidence=refusal.detail, run=by.run)
        return refusal

    def _remember(self, **changes: Any) -> None:
        self._memory.state = msgspec.structs.replace(self._memory.state, **changes)


def _with_hooks(mine: Assignment, ordered: Assignment) -> Assignment:
    same = (mine.run, mine.attempt) == (ordered.run, ordered.attempt)
    return msgspec.structs.replace(mine, hooks=ordered.hooks) if same else mine
