"""Reviews as Markdown for a pull request: the verdict first, the worst next, the least important cut first.

Names, texts and values come from whoever wrote the spec, a stranger perhaps. Every one stands in a code span or a
fence that is longer than any run of backticks in it: nothing in it is a tag, a link, a mention or a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from lifecycle.model.plan import DISRUPTIVE, SYMBOLS, Drift, Kind
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Status
from lifecycle.planning import explain, holds
from lifecycle.planning.adoption import Objection
from lifecycle.planning.changes import Change
from lifecycle.planning.cost import rate
from lifecycle.planning.review import Group, HeldBack, Matter, Review, worst_first
from lifecycle.planning.stakes import pool_of

LIMIT = 60_000
"""Characters of one comment. GitHub takes 65,536."""

_LONGEST = 300
_LONGEST_LINE = 400
_DONE = {
    Kind.STOP: "saved and stopped",
    Kind.SAVE: "saved",
    Kind.DESTROY: "ended",
    Kind.UPDATE: "updated",
    Kind.REPLACE: "replaced",
    Kind.CREATE: "created",
    Kind.ADOPT: "adopted",
    Kind.START: "started",
    Kind.RESUME: "resumed",
}
_COUNTED = (
    Kind.CREATE,
    Kind.REPLACE,
    Kind.STOP,
    Kind.DESTROY,
    Kind.UPDATE,
    Kind.ADOPT,
    Kind.START,
    Kind.RESUME,
    Kind.SAVE,
)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Lines under a title. `folded`: shown on a click; `fenced`: they are text, not Markdown."""

    title: str
    lines: tuple[str, ...]
    folded: bool = False
    fenced: bool = False


def document(reviews: Iterable[Review], limit: int = LIMIT) -> str:
    """All reviews as one comment of at most `limit` characters, the worst first. Unchanged fleets share a line."""
    ranked = worst_first(reviews)
    quiet = [review for review in ranked if review.quiet]
    parts: list[str] = []
    for review in ranked:
        if not review.quiet:
            parts.append(_within(limit - sum(map(len, parts)) - _LONGEST * (len(ranked) + 1), review))
    if quiet:
        parts.append(_unchanged(quiet))
    return "\n\n---\n\n".join(parts)[:limit]


def _unchanged(quiet: Sequence[Review]) -> str:
    named = ", ".join(code(review.fleet) for review in quiet[:20])
    more = f" and {len(quiet) - 20} more" if len(quiet) > 20 else ""
    return f"{named}{more}: no changes"


def _within(limit: int, review: Review) -> str:
    """The verdict, then as much as there is room for."""
    head = verdict(review)
    sections = [section for section in _sections(review) if section.lines]
    room = limit - len(head)
    fitting = _cut(sections, room)
    return "\n\n".join([head, *fitting]) if room > 0 else head


def _cut(sections: Sequence[Section], room: int) -> list[str]:
    """Every section as text. What is too much goes from the end of the last one, then of the one before."""
    texts = [_text(section, len(section.lines)) for section in sections]
    for index in reversed(range(len(sections))):
        over = sum(len(text) + 2 for text in texts) - room
        if over <= 0:
            break
        texts[index] = _shortened(sections[index], over + _LONGEST)
    return texts


def _shortened(section: Section, over: int) -> str:
    kept = len(section.lines)
    while kept and over > 0:
        kept -= 1
        over -= len(section.lines[kept]) + 1
    return _text(section, kept)


def _text(section: Section, kept: int) -> str:
    """The section with its first `kept` lines; what is left out is said."""
    body = "\n".join(section.lines[:kept])
    if section.fenced and body:
        fence = "`" * max(3, _run(body) + 1)
        body = f"{fence}diff\n{body}\n{fence}"
    if kept < len(section.lines):
        body += f"\n\n*… {len(section.lines) - kept:,} more lines were cut, for want of room*"
    if section.folded:
        return f"<details><summary>{section.title}</summary>\n\n{body}\n\n</details>"
    return f"#### {section.title}\n\n{body}"


def _sections(review: Review) -> Iterator[Section]:
    """From the most important to the least."""
    plan = review.plan
    yield Section(title="✗ Not a sound spec", lines=tuple(f"- {code(fault)}" for fault in review.faults))
    yield Section(
        title="⛔ Refused", lines=(*map(_objection, review.objections), *map(_held_back, review.held_back))
    )
    hurting = [group for group in review.groups if group.kind in DISRUPTIVE]
    yield Section(title="⚠ Stops or ends what runs", lines=tuple(map(_group, hurting)))
    yield Section(title="⚠ Moves to another market", lines=tuple(f"- {code(move)}" for move in review.markets))
    gained = (f"- {each.what} {code(each.value)} ({code(each.place)})" for each in review.widenings)
    yield Section(title="⚠ Permissions and network widen", lines=tuple(gained))
    others = (_group(group) for group in review.groups if group.kind not in DISRUPTIVE)
    yield Section(title="Also", lines=tuple(others))
    yield Section(title="Next", lines=tuple(_next(review)))
    yield Section(title="Held", lines=tuple(f"- {code(holds.line(hold))}" for hold in plan.holds))
    yield Section(title="Mind", lines=tuple(f"- {line}" for line in _mind(review)))
    yield Section(title="What the file changes", lines=tuple(map(_change, review.changes)), folded=True)
    late = {each.node for each in plan.late}
    under_way = tuple(f"- {code(each.node)} {code(each.what)}" for each in plan.waiting if each.node not in late)
    yield Section(title="Under way", lines=under_way, folded=True)
    drift = tuple(map(_drift, review.drift))
    yield Section(title=f"Drift from before: {len(drift)}, not caused by this change", lines=drift, folded=True)
    yield Section(title="Diff", lines=tuple(map(_line, review.diff)), folded=True, fenced=True)


# ---- the verdict ---------------------------------------------------------------------------------


def verdict(review: Review) -> str:
    """The whole in one line: `llm-7b: 1 replaced, 2 saved and stopped · +$4.10/h · no work lost · ...`"""
    name = code(review.fleet)
    if review.matter is Matter.BROKEN:
        return f"**{name}: not applicable** · {_many(len(review.faults), 'error')}"
    if review.matter is Matter.DELETED:
        return f"**{name}: its spec file is deleted, and nothing is ended by that**"
    told = [f"**{name}: {_refused(review, _counts(review))}**", _money(review)]
    if any(group.kind in DISRUPTIVE for group in review.groups):
        told.append(_lost(review))
    told.append(_saving(review))
    return " · ".join(part for part in told if part)


def _refused(review: Review, counts: str) -> str:
    """Nothing is begun of a spec that is refused; where single nodes are held back, the rest is done."""
    guards = [each.guard for each in review.objections] + [each.first.guard for each in review.held_back]
    if not guards:
        return counts
    return f"refused ({', '.join(dict.fromkeys(guards))}); {'asked for' if review.objections else 'else'}: {counts}"


def _counts(review: Review) -> str:
    counted = {kind: sum(len(g.nodes) for g in review.groups if g.kind is kind) for kind in _COUNTED}
    said = [f"{count:,} {_DONE[kind]}" for kind, count in counted.items() if count]
    new = "a new fleet, " if review.matter is Matter.NEW else ""
    return new + (", ".join(said) or "no machine changes")


def _money(review: Review) -> str:
    before, after = review.per_hour
    if (before, after) == (0.0, 0.0):
        return ""
    change = None if before is None or after is None else after - before
    listed = ", at on-demand list prices" if review.assumed else ""
    if change == 0:
        return f"{rate(before)} as before{listed}"
    return f"{explain.money(change)} ({rate(before)} → {rate(after)}{listed})"


def _lost(review: Review) -> str:
    steps = sum(group.lost_steps for group in review.groups)
    if not review.lost_seconds and not steps:
        return "no work lost"
    counted = f" ({_many(steps, 'step')})" if steps else ""
    return f"at most {spoken(review.lost_seconds)} of work{counted} lost"


def _saving(review: Review) -> str:
    proof = review.proof
    if proof is None:
        return ""
    if proof.status is Status.TRUE and proof.at is not None:
        return f"save on stop proven {spoken(review.plan.at - proof.at)} ago"
    return f"save on stop {'unproven' if proof.status is Status.UNKNOWN else 'failed'} in {code(proof.pool)}"


# ---- lines ---------------------------------------------------------------------------------------


def _group(group: Group) -> str:
    told = [
        f"- `{SYMBOLS[group.kind]}` **{len(group.nodes):,} {_DONE[group.kind]}** {_named(group.pool, group.nodes)}"
    ]
    told.append(_emptied(group))
    told.append(
        f", because {'; '.join(map(_caused, group.because))}" if group.because else f", {code(group.evidence)}"
    )
    if group.lost_steps:
        told.append(f" · at most {_many(group.lost_steps, 'step')} lost")
    if group.cost_per_hour != 0:
        told.append(f" · {explain.money(group.cost_per_hour)}")
    if group.late:
        told.append(f" · {group.late:,} of them in later ticks, a few at a time")
    return "".join(told)


def _emptied(group: Group) -> str:
    """What becomes of the work on machines that are stopped or ended."""
    saved = ", saved first" if group.drained and group.kind is not Kind.STOP else ""
    forced = f", stopped without a save after {group.forced_after}" if group.forced_after else ""
    return f"{saved}{forced}{', then ' if group.then else ''}{group.then}"


def _caused(change: Change) -> str:
    what = "appeared" if change.before is None else "is gone" if change.after is None else "changed"
    return f"{code(_field(change))} {what} ({code(change.place)})"


def _change(change: Change) -> str:
    was, now = (code(value) if value is not None else "not set" for value in (change.before, change.after))
    return f"- {code(_spelled(change))}: {was} → {now} ({code(change.place)})"


def _field(change: Change) -> str:
    """Within its pool: `instance_types`; a pool by its name."""
    return ".".join(map(str, change.path[2:])) or _spelled(change)


def _spelled(change: Change) -> str:
    return ".".join(map(str, change.path))


def _objection(found: Objection) -> str:
    return f"- **{found.guard}**: {code(found.evidence)}\n  - to do: {code(found.override)}"


def _held_back(held: HeldBack) -> str:
    first = held.first
    pool = pool_of(first.node)
    who = f"{_many(len(held.nodes), 'node')} {_named(pool, held.nodes)}"
    return (
        f"- **{first.guard}**: {first.action} of {who}: {code(first.evidence)}\n  - to do: {code(first.override)}"
    )


def _drift(drift: Drift) -> str:
    found = f"{code(drift.field)}: declared {code(drift.desired)}, found {code(drift.actual)}"
    return f"- {code(drift.node)} {found} (policy: {drift.policy})"


def _mind(review: Review) -> Iterator[str]:
    yield from map(code, review.warnings)
    for save in review.plan.saves:
        if not review.assumed and (save.status is not Status.TRUE or not save.fits):
            yield f"{code(save.pool)} {code(save.message)}"
    if review.assumed and review.matter is Matter.CHANGED and review.changes:
        yield "nobody looked at the fleet: every node is taken to run as declared before, on its first preferences"
    if review.assumed and review.markets:
        yield "spot prices are not known here: what a move between spot and on-demand saves or costs is not shown"


def _next(review: Review) -> Iterator[str]:
    path = _quoted(review.path)
    if review.matter is Matter.BROKEN:
        yield f"- {code(f'steady validate {path}')}"
    elif review.matter is Matter.DELETED:
        yield f"- to end the fleet, with the file from before: {code(f'steady destroy {path}')}"
        yield f"- to see what of it runs: {code(f'steady status {review.fleet}')}"
    else:
        guards = {each.guard for each in review.objections}
        if "unproven save" in guards:
            yield f"- to see whether it saves when asked: {code(f'steady rehearse {path}')}"
        options = "".join(f" {option}" for guard, option in _OPTIONS.items() if guard in guards)
        yield f"- {'if that is meant' if options else 'after the merge'}: {code(f'steady apply {path}{options}')}"


_OPTIONS = {
    "another source": "--take-over",
    "emptied spec": "--allow-empty",
    "older spec": "--rollback",
    "unproven save": "--accept-unproven",
}


def _named(pool: str, nodes: Sequence[str]) -> str:
    """`trainers` (0, 2–5); nothing for what a whole fleet shares."""
    if not pool:
        return "of what its machines share"
    numbers = sorted(int(node.rpartition("/")[2]) for node in nodes)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    said = [f"{first}" if first == last else f"{first}–{last}" for first, last in spans[:12]]
    return f"in {code(pool)} ({', '.join([*said, '…'] if len(spans) > 12 else said)})"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _quoted(path: str) -> str:
    """A path as a shell takes it."""
    return path if re.fullmatch(r"[A-Za-z0-9_./@%+=:,-]+", path) else "'" + path.replace("'", "'\\''") + "'"


# ---- text of strangers ---------------------------------------------------------------------------


def code(text: str) -> str:
    """`text` as a code span: one line, without hidden characters, not too long."""
    shown = _visible(text, _LONGEST).strip() or " "
    fence = "`" * (_run(shown) + 1)
    pad = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _line(text: str) -> str:
    return _visible(text, _LONGEST_LINE)


def _visible(text: str, longest: int) -> str:
    kept = "".join(char if char.isprintable() else " " for char in text[: longest + 1])
    return kept if len(text) <= longest else f"{kept[:longest]}…"


def _run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", text)), default=0)
