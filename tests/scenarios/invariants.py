"""What must hold after every tick, checked on the truth: I1 to I11 of the design, by one checker.

The checker reads the world behind everybody's back: the cloud as it is, the table without lag, the store's bytes,
the trainers' processes. It knows what the weather did (`World` and `Weather` say so), so that only our own faults
count. What it finds is a line each: `I2 f/t/0: ...`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from lifecycle.adapters.simulated.cloud import Instance
from lifecycle.adapters.simulated.provider import OWNER
from lifecycle.adapters.simulated.trainer import Process
from lifecycle.control.loop import Ticked
from lifecycle.model import tags
from lifecycle.model.codec import decode
from lifecycle.model.fleet import FleetSpec, Mode, Pool, WithoutCheckpoint
from lifecycle.model.holds import HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Claim, Converge, EndStray, Kind, PowerOff
from lifecycle.model.records import Attempt, Receipt, Run
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.planning.holds import active
from lifecycle.planning.presence import STRAY_AGE
from lifecycle.planning.receipts import eligible
from lifecycle.planning.status import NodeStatus, fleet_status
from lifecycle.simulation.transfers import sound
from lifecycle.simulation.world import Beginning, Witnessed, World

SHOWN_WITHIN = 120.0
"""Seconds in which a status may still show what was, beside the lag of the list."""

STRAYS_GO_WITHIN = 2
"""Ticks, once a second machine is old enough to judge."""

DOUBTS = frozenset({"Healthy", "Synced"})
"""Conditions by which a status says of itself that not all is as it should be, or not known."""

AWAY = frozenset({HoldKind.STOP, HoldKind.TERMINATE, HoldKind.PAUSE, HoldKind.SCHEDULE})
ENDS = frozenset({"terminate", "stop"})


class Violation(NamedTuple):
    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.what}"


class Checker:
    """Checks one fleet. `check` is called after every tick, also after one that failed (`ticked` None)."""

    def __init__(self, world: World, fleet: str = "f") -> None:
        self.world, self.fleet = world, fleet
        self.found: list[Violation] = []
        self.copies: set[str] = set()
        """Machines that a person made by copying one of ours."""
        self.unknown: set[str] = set()
        """Machines that the provisioner did not know when their node got another one."""
        self.damaged: set[str] = set()
        """Prefixes of checkpoints in the store that the weather damaged."""
        self._touched = self._begun = 0
        self._overdue: Counter[str] = Counter()
        self._best: dict[str, Receipt] = {}
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._receipts: dict[str, str] = {}
        self._started: dict[tuple[str, int, str], Beginning] = {}
        self._allowed: set[str] = set()
        self._wrong_since: dict[tuple[str, str], float] = {}
        self._store_mark: tuple[int, ...] = ()
        world.cloud.made.append(self._made)

    def check(self, ticked: Ticked | None) -> list[Violation]:
        """What is newly found to be wrong."""
        before = len(self.found)
        self._allowed |= set(self.world.tracker.observe(self.fleet).allowances)
        for witnessed in self._fresh_touches():
            self._all(self._untracked(witnessed), self._foreign(witnessed), self._unsaved(witnessed))
        self._all(self._strangers(), self._surplus(ticked), self._writers())
        self._all(self._history(), self._checkpoints())
        if ticked is not None:
            self._all(self._blast(ticked), self._words(ticked))
        return self.found[before:]

    def _all(self, *found: Iterator[Violation]) -> None:
        for each in found:
            self.found.extend(each)

    def _fresh_touches(self) -> list[Witnessed]:
        fresh = self.world.touched[self._touched :]
        self._touched = len(self.world.touched)
        return fresh

    # ---- I1, I2, I3: machines --------------------------------------------------------------------

    def _untracked(self, witnessed: Witnessed) -> Iterator[Violation]:
        """I1: every machine that we made wore all its tags in the creating call, after a claim."""
        touched = witnessed.touched
        if touched.verb != "create":
            return
        missing = [key for key in tags.IDENTITY if key not in touched.tags]
        if missing:
            yield Violation("I1", f"{touched.instance} was made without {', '.join(missing)}")
            return
        key = (touched.tags[tags.NODE], int(touched.tags[tags.INCARNATION]))
        claim = self.world.tracker.incarnations(self.fleet, [key]).get(key)
        if claim is None or claim.claimed_at > touched.at:
            yield Violation("I1", f"{touched.instance} was made without a claim of {key[0]}#{key[1]}")

    def _strangers(self) -> Iterator[Violation]:
        """I1: no live machine wears our tags that nobody of us made."""
        ours = {each.touched.instance for each in self.world.touched if each.touched.verb == "create"}
        for instance in self.world.cloud.instances.values():
            mine = tags.owned(instance.tags, OWNER, self.fleet) and instance.live
            if mine and instance.id not in ours | self.copies:
                yield Violation("I1", f"{instance.id} is nobody's")

    def _made(self, instance: Instance) -> None:
        """I2: none is made beside one that the provisioner keeps; beside one that it does not know, for a while."""
        if not tags.owned(instance.tags, OWNER, self.fleet) or instance.id in self.copies:
            return
        beside = {each.id for each in self.world.cloud.of_node(instance.node)} - {instance.id} - self.copies
        kept = beside & set(self.world.cloud.stack(self.fleet).kept.values())
        if kept:
            self.found.append(Violation("I2", f"{instance.id} was made beside {', '.join(kept)}"))
        self.unknown |= beside - kept

    def _surplus(self, ticked: Ticked | None) -> Iterator[Violation]:
        """I2: a second machine is gone soon after it is old enough to judge."""
        if ticked is None or ticked.observed.machines is None or ticked.plan.refusals:
            return
        now = self.world.timeline.now()
        spared = {each.node for each in ticked.plan.waiting} | {action.node for action in ticked.plan.actions}
        for instance in self.world.cloud.instances.values():
            alone = len(self.world.cloud.of_node(instance.node)) < 2
            young = now - instance.launched_at < STRAY_AGE + self.world.cloud.climate.lag
            if instance.id not in self.copies | self.unknown or not instance.live or alone or young:
                self._overdue.pop(instance.id, None)
                continue
            self._overdue[instance.id] += instance.node not in spared
            if self._overdue[instance.id] > STRAYS_GO_WITHIN:
                yield Violation("I2", f"{instance.id} is still there beside the machine in place")

    def _foreign(self, witnessed: Witnessed) -> Iterator[Violation]:
        """I3: every call that changes something is for a machine of ours."""
        touched = witnessed.touched
        if touched.tags.get(tags.OWNER) != OWNER or touched.tags.get(tags.FLEET) != self.fleet:
            yield Violation("I3", f"{touched.verb} of {touched.instance}, which is not ours")

    # ---- I6, I7, I8: trainers --------------------------------------------------------------------

    def _unsaved(self, witnessed: Witnessed) -> Iterator[Violation]:
        """I6: no trainer at work is ended by us, nor one whose last save was not stored."""
        touched, host = witnessed.touched, witnessed.host
        if touched.verb not in ENDS or host is None or self._excused(witnessed):
            return
        if witnessed.run is not None:
            yield Violation("I6", f"{touched.verb} of {touched.instance} while {witnessed.run} trained there")
            return
        for process in host.trainer.processes.values():
            saved = max((each.step for each in host.trainer.disk.all(process.directory)), default=0)
            stored = self._stored(process.run, process.attempt)
            if process.exit_code == 0 and saved > stored and not self._parted(process, host.node, saved):
                yield Violation("I6", f"{touched.instance} was ended with step {saved} of {process.run} unstored")

    def _parted(self, process: Process, node: str, step: int) -> bool:
        """Whether this rank's part is stored: the whole may lack that of a peer which was taken."""
        part = f"-s{step:012d}-whole/parts/rank-{NodeName.parse(node).index:05d}-"
        mine = self.world.store.keys(f"runs/{self.fleet}/{process.run}/")
        return bool(process.gang) and any(part in key for key in mine)

    def _excused(self, witnessed: Witnessed) -> bool:
        """A loss that somebody allowed, or a machine whose agent was silent and had a second witness."""
        host, instance = witnessed.host, witnessed.touched.instance
        assert host is not None
        record = self.world.tracker.spec(self.fleet)
        pools = record.spec.pools.values() if record else ()
        force = any(pool.stop.without_checkpoint is WithoutCheckpoint.FORCE for pool in pools)
        return instance in self._allowed or force or not host.up or host.line.away

    def _stored(self, run: str, attempt: int) -> int:
        """The greatest step of a run that is in the store since this attempt or an earlier one.

        Of what the machines have written, not of what others see of it already.
        """
        shelf, objects = self.world.storage.shelves[self.fleet, "receipt"], self.world.store.objects
        cells = (cell for name in shelf.names if name.startswith(f"{run}/") for cell in shelf.cells[name].values())
        found = [decode(cell.row.body, Receipt) for cell in cells]
        return max((r.step for r in found if r.epoch <= attempt and sound(objects, r)), default=0)

    def _writers(self) -> Iterator[Violation]:
        """I7, I8: an attempt is started once, and never once a newer one was given out."""
        fresh = self.world.begun[self._begun :]
        self._begun = len(self.world.begun)
        for begun in fresh:
            first = self._started.setdefault((begun.run, begun.attempt, self._rank(begun)), begun)
            if first is not begun:
                where = f"on {first.instance} and on {begun.instance}"
                yield Violation("I8", f"attempt {begun.attempt} of {begun.run} was started twice: {where}")
            yield from self._resumed(begun)
        for host in self.world.hosts.values():
            again = Counter(host.trainer.answers)
            for (run, attempt, request), count in again.items():
                if count > 1:
                    yield Violation("I7", f"attempt {attempt} of {run} answered {request} {count} times")

    def _rank(self, begun: Beginning) -> str:
        """The node, of a gang's rank; each starts its attempt once."""
        attempt = self.world.tracker.attempt(self.fleet, begun.run, begun.attempt)
        return begun.node if attempt is not None and attempt.members else ""

    def _resumed(self, begun: Beginning) -> Iterator[Violation]:
        """I4, I8: it goes on from the greatest sound checkpoint that was there when it was given out."""
        attempt = self.world.tracker.attempt(self.fleet, begun.run, begun.attempt)
        if attempt is None:
            yield Violation("I8", f"attempt {begun.attempt} of {begun.run} was started and never given out")
            return
        offered = [r for r in self._rows(begun.run) if r.digest in attempt.earlier]
        best = max((r.rank for r in offered if sound(self.world.store.objects, r)), default=(0, 0))
        if begun.step != best[1] and not self.damaged:
            what = f"attempt {begun.attempt} of {begun.run} began at step {begun.step}, saved was {best[1]}"
            yield Violation("I4", what)

    # ---- I4, I5: checkpoints ---------------------------------------------------------------------

    def _rows(self, run: str) -> tuple[Receipt, ...]:
        return self.world.tracker.receipts(self.fleet, run, 1000)

    def _history(self) -> Iterator[Violation]:
        """I4: what an ended attempt came to stays so; when is told anew by a settling that was cut short."""
        past = self.world.tracker.past(self.fleet).attempts
        for run in self.world.tracker.observe(self.fleet).runs.values():
            found = {(a.run, a.number): a for a in past.get(run.run, ())}
            for key, before in self._attempts.items():
                if key[0] == run.run and not before.open and found.get(key) != before:
                    yield Violation("I4", f"attempt {key[1]} of {key[0]} was rewritten")
            self._attempts |= found

    def _checkpoints(self) -> Iterator[Violation]:
        storage, fleet = self.world.storage, self.fleet
        mark = (
            len(storage.shelves[fleet, "receipt"].names),
            len(self._attempts),
            len(self.world.store.objects),
            len(self.damaged),
        )
        if mark == self._store_mark:
            return
        self._store_mark = mark
        observed = self.world.tracker.observe(fleet)
        for run in observed.runs.values():
            pool = observed.record.spec.pools.get(run.pool) if observed.record else None
            yield from self._of_run(run, observed.rejections, max(2, pool.checkpoint.keep) if pool else 2)

    def _of_run(self, run: Run, rejected: frozenset[str], keep: int) -> Iterator[Violation]:
        objects, rows = self.world.store.objects, self._rows(run.run)
        known = {row.digest for row in rows}
        for digest, whose in self._receipts.items():
            if whose == run.run and digest not in known:
                yield Violation("I4", f"a receipt of {run.run} is gone")
        self._receipts |= {row.digest: run.run for row in rows}
        whole = [msgspec.structs.replace(row, pruned=False) for row in rows if row.prefix not in self.damaged]
        valid = eligible(whole, rejected, run.attempt)
        lost = [row for row in valid[:keep] if not sound(objects, row)]
        if lost and not self.damaged:
            yield Violation("I5", f"the checkpoint of {run.run} at step {lost[0].step} is gone")
        best = next((row for row in valid if sound(objects, row)), None)
        before = self._best.get(run.run)
        stands = before is not None and sound(objects, before) and before.digest not in rejected
        if before is not None and stands and (best is None or best.rank < before.rank):
            yield Violation("I4", f"latest of {run.run} went back from step {before.step}")
        if best is not None:
            self._best[run.run] = best

    # ---- I10, I11: words and deeds ---------------------------------------------------------------

    def _words(self, ticked: Ticked) -> Iterator[Violation]:
        """I10: a status that says gone, or well, is true, or was true a moment ago."""
        status = fleet_status(ticked.observed, ticked.plan, self.world.timeline.now())
        wrong = {(node.node, why) for node in status.nodes for why in self._false(node)}
        now = self.world.timeline.monotonic()
        self._wrong_since = {key: self._wrong_since.get(key, now) for key in wrong}
        patience = SHOWN_WITHIN + self.world.cloud.climate.lag
        for (node, why), since in self._wrong_since.items():
            if now - since > patience:
                yield Violation("I10", f"{node}: {why}")

    def _false(self, node: NodeStatus) -> Iterator[str]:
        if any(condition.type in DOUBTS for condition in node.conditions):
            return
        machines = self.world.cloud.of_node(node.node)
        running = [m for m in machines if m.state is InstanceState.RUNNING and m.id not in self.copies]
        if node.state == InstanceState.TERMINATED and running:
            yield f"said to be gone, but {running[0].id} runs"
        if node.state == InstanceState.STOPPED and running:
            yield f"said to be stopped, but {running[0].id} runs"
        if node.run is not None and node.run.state == RunState.TRAINING:
            hosts = [self.world.hosts.get(machine.id) for machine in running]
            if not any(host is not None and host.trainer.at_work() for host in hosts):
                yield "said to train, but nothing trains there"

    def _blast(self, ticked: Ticked) -> Iterator[Violation]:
        """I11: few voluntary repairs at once, and none by a tick that did not see the world."""
        plan, machines = ticked.plan, ticked.observed.machines
        if machines is None and plan.actions:
            yield Violation("I11", f"{len(plan.actions)} actions of a tick that could not see")
        repairs = [
            action.node
            for action in plan.actions
            if action.reason.cause == Cause.DRIFT
            and action.kind not in (Kind.UPDATE, Kind.ADOPT)
            and any(isinstance(step, Claim | Converge | EndStray | PowerOff) for step in action.steps)
        ]
        nodes = len(ticked.observed.nodes())
        if len(repairs) > max(1, int(nodes * 0.10)):
            yield Violation("I11", f"{len(repairs)} repairs in one tick of {nodes} nodes")


def _ranks(spec: FleetSpec | None, name: NodeName) -> set[str | None]:
    """What a hold may name to keep this node from training: of a gang every rank."""
    gang = spec is not None and spec.pools[name.pool].mode is Mode.GANG
    ranks = [each for each in spec.nodes() if each.pool == name.pool] if spec and gang else [name]
    return {None, f"{name.fleet}/{name.pool}", *map(str, ranks)}


def _over(run: Run, pool: Pool) -> bool:
    """Completed, failed, or without a retry left for what ended its last attempt: a person has to act."""
    last = run.attempt
    if run.state in (RunState.COMPLETED, RunState.FAILED):
        return True
    if last is None or last.open or last.cause is None or run.allowed > last.number:
        return False
    limit = getattr(pool.budget.retries, last.cause, None)
    return limit is not None and run.failures.get(last.cause, 0) > limit


def desired(world: World, fleet: str = "f", refused: Collection[str] = ()) -> list[str]:
    """What of the truth is not as declared, a line each; empty: actual equals desired (I9).

    Of the nodes in `refused` a guard has said that a person has to act first.
    """
    observed = world.tracker.observe(fleet)
    record = observed.record
    spec = record.spec if record is not None and not record.destroying else None
    declared = {str(name): name for name in spec.nodes()} if spec else {}
    now = world.timeline.now()
    wrong = []
    for instance in world.cloud.instances.values():
        if tags.owned(instance.tags, OWNER, fleet) and instance.live and instance.node not in declared:
            wrong += [] if instance.node in refused else [f"{instance.id} belongs to no declared node"]
    for node, name in declared.items():
        mine = _ranks(spec, name)
        held = [h for h in active(spec, observed, now) if h.kind in AWAY and h.node in mine]
        run = observed.runs.get(spec.run_of(name)) if spec else None
        over = run is not None and spec is not None and _over(run, spec.pools[name.pool])
        live = world.cloud.of_node(node)
        hosts = [world.hosts.get(each.id) for each in live]
        at_work = [host for host in hosts if host is not None and host.trainer.at_work()]
        if mine & set(refused):
            continue
        if held or over:
            wrong += [f"{node}: something trains"] if at_work else []
        elif len(live) != 1 or len(at_work) != 1:
            wrong.append(f"{node}: {len(live)} machines, {len(at_work)} trainers")
    return wrong
