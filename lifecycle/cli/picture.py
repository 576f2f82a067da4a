"""What a person who watches sees: fleets as lines that fit the terminal, worst first.

Facts wrap between each other before they wrap inside; a node's name and a reason are shown to their end, or not at
all: the nodes that there is no room for are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from lifecycle.cli.tables import STYLES, cost_line, placed
from lifecycle.model.quantities import spoken
from lifecycle.planning.progress import speed_in_words
from lifecycle.planning.status import CheckpointStatus, FleetStatus, NodeStatus, RunStatus
from lifecycle.planning.watching import Sight, age_in_words, counted, node_remarks, remarks

BAR, GAP, INDENT = 16, 2, 2
NEWS_SHARE = 4
"""The news get one in so many lines."""

_GOING = ("training", "checkpointing")

WARNING, ALARM, QUIET = "bold yellow", "bold red", "dim"


class Picture:
    """These fleets as they were seen last, and the last news, as many as there is room for. A rich renderable."""

    def __init__(self, sights: Sequence[Sight], news: Sequence[str], now: float) -> None:
        self._sights, self._news, self._now = sights, news, now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        page = _Page(console, options.max_width, ascii_only=options.ascii_only)
        room = max(1, options.size.height - 1)
        news = page.news(self._news, room // NEWS_SHARE)
        room -= len(news)
        for number, sight in enumerate(self._sights):
            lines = page.fleet(sight, self._now, room // (len(self._sights) - number))
            room -= len(lines)
            yield from lines
        yield from news


class _Page:
    """Lays lines out for one width."""

    def __init__(self, console: Console, width: int, *, ascii_only: bool) -> None:
        self._console, self._width = console, width
        self._done, self._open = ("=", "-") if ascii_only else ("━", "─")

    def news(self, told: Sequence[str], room: int) -> list[Text]:
        """The last entries that fit as a whole."""
        lines: list[Text] = []
        for entry in reversed(told):
            block = self._wrapped(Text(entry, style=QUIET))
            if len(lines) + len(block) > room:
                break
            lines = [*block, *lines]
        return lines

    def fleet(self, sight: Sight, now: float, room: int) -> list[Text]:
        top = list(self._top(sight, now))
        return top if sight.status is None else [*top, *self._nodes(sight.status, room - len(top))]

    def _top(self, sight: Sight, now: float) -> Iterator[Text]:
        if trouble := age_in_words(sight, now):
            yield from self._wrapped(Text(f"! {sight.fleet}: {trouble}", style=WARNING))
        status = sight.status
        if status is None:
            return
        yield from self._wrapped(Text(f"{status.fleet}: {status.sentence}", style="bold"))
        for remark in remarks(status):
            yield from self._wrapped(Text(remark), INDENT)
        for cost in status.costs:
            if cost.spent or cost.per_hour != 0:
                yield from self._wrapped(Text(cost_line(cost), style=QUIET), INDENT)

    def _nodes(self, status: FleetStatus, room: int) -> list[Text]:
        """As many as there is room for, but one at least, and a line that counts the others."""
        nodes, lines = status.nodes, list[Text]()
        blocks = self._blocks(status, nodes[: max(2, room)])
        for number, block in enumerate(blocks):
            rest = len(nodes) - number - 1
            if number and len(lines) + len(block) + bool(rest) > room:
                return [*lines, *self._wrapped(Text(_others(nodes[number:]), style=QUIET))]
            lines += block
        return lines

    def _blocks(self, status: FleetStatus, nodes: tuple[NodeStatus, ...]) -> Iterator[list[Text]]:
        """A node each: one line where the facts of all nodes fit, else two or more; then its remarks."""
        firsts = list(_firsts(nodes))
        heads = [_head(node, choice=placed(status)) for node in nodes]
        goings = [self._going(node.run, first=first) for node, first in zip(nodes, firsts, strict=True)]
        saves = [_saves(node) if first else [Text(), Text()] for node, first in zip(nodes, firsts, strict=True)]
        columns = zip(_aligned(heads), _aligned(goings), _aligned(saves), strict=True)
        wide = [_joined([*head, *going, *saved]) for head, going, saved in columns]
        fits = all(line.cell_len <= self._width for line in wide)
        for number, node in enumerate(nodes):
            below = self._stacked(heads[number], goings[number], saves[number])
            yield [*([wide[number]] if fits else below), *self._remarks(node)]

    def _stacked(self, head: list[Text], going: list[Text], saved: list[Text]) -> Iterator[Text]:
        """Where there is room what is saved stands beside the states, and how far it is below."""
        whole, beside = [*head, *going, *saved], [*head, *saved]
        top = next((cells for cells in (whole, beside) if _joined(cells).cell_len <= self._width), head)
        yield from self._flowing(top, 0)
        if top is not whole:
            yield from self._flowing(going if top is beside else [*going, *saved], INDENT)

    def _going(self, run: RunStatus | None, *, first: bool) -> list[Text]:
        """How far a run is. Of a gang only the rank that is shown first has its bar, rate and end."""
        whole = run if first else None
        speed = whole.steps_per_second if whole else None
        left = whole.seconds_left if whole else None
        return [
            self._bar(whole),
            Text(_step(run)),
            Text("" if speed is None else speed_in_words(speed)),
            Text("" if left is None else f"{spoken(left)} left"),
        ]

    def _bar(self, run: RunStatus | None) -> Text:
        """Only where the trainer says where it ends."""
        if run is None or run.step is None or not run.total:
            return Text()
        share = min(1.0, run.step / run.total)
        done = int(share * BAR)
        bar = Text(self._done * done, style=STYLES.get(run.state, ""))
        return bar.append(self._open * (BAR - done), style=QUIET).append(f" {int(share * 100)}%", style="")

    def _remarks(self, node: NodeStatus) -> Iterator[Text]:
        for number, remark in enumerate(node_remarks(node)):
            noticed = node.notice is not None and number == 0
            yield from self._wrapped(Text(f"! {remark}", style=ALARM if noticed else WARNING), INDENT)

    def _flowing(self, cells: list[Text], indent: int) -> Iterator[Text]:
        """As many cells a line as fit; one that is wider than a line is folded."""
        line: list[Text] = []
        for cell in (each for each in cells if each):
            if line and _joined([*line, cell]).cell_len > self._width - indent:
                yield from self._wrapped(_joined(line), indent)
                line = []
            line.append(cell)
        if line:
            yield from self._wrapped(_joined(line), indent)

    def _wrapped(self, text: Text, indent: int = 0) -> list[Text]:
        lines = text.wrap(self._console, max(1, self._width - indent), overflow="fold")
        for line in lines:
            line.rstrip()
            line.pad_left(indent)
        return list(lines)


def _head(node: NodeStatus, *, choice: bool) -> list[Text]:
    run = node.run
    where = [Text(node.instance_type or "-"), Text(node.zone or "-")] if choice else []
    state = Text(run.state if run else "-", style=STYLES.get(run.state, "") if run else "")
    if run is not None and run.ranks:
        state.append(f", rank {run.rank} of {run.ranks}", style="")
    return [Text(node.node), Text(node.market), *where, Text(node.state), state]


def _step(run: RunStatus | None) -> str:
    if run is None or run.step is None:
        return ""
    return f"{run.step}/{run.total}" if run.total else f"step {run.step}"


def _saves(node: NodeStatus) -> list[Text]:
    run = node.run
    if run is None:
        return [Text(), Text()]
    lost = Text(f"lost {run.lost_steps}" if run.lost_steps else "")
    if node.checkpoint is None:
        return [Text("nothing saved yet" if run.state in _GOING and run.step is not None else ""), lost]
    return [_saved(node.checkpoint, node.max_lost_work_seconds), lost]


def _saved(saved: CheckpointStatus, limit: float | None) -> Text:
    """`saved at 1400, 12s ago (limit 20m)`; what is too old says so, in words too."""
    over = limit is not None and saved.age_seconds > limit
    against = "" if limit is None else f" ({'over' if over else 'limit'} {spoken(limit)})"
    broken = "" if saved.verified else ", not sound"
    age = f"saved at {saved.step}, {spoken(saved.age_seconds)} ago{against}{broken}"
    return Text(age, style=WARNING if over or broken else "")


def _firsts(nodes: Iterable[NodeStatus]) -> Iterator[bool]:
    """Whether each is the first of its run."""
    met: set[str] = set()
    for node in nodes:
        yield node.run is None or node.run.id not in met
        met |= {node.run.id} if node.run else set()


def _aligned(rows: list[list[Text]]) -> list[list[Text]]:
    """The cells of all rows as wide as the widest of their column; a column with nothing in it is left out."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    return [[_padded(cell, width) for cell, width in zip(row, widths, strict=True) if width] for row in rows]


def _padded(cell: Text, width: int) -> Text:
    padded = cell.copy()
    padded.pad_right(width - cell.cell_len)
    return padded


def _joined(cells: list[Text]) -> Text:
    joined = Text(" " * GAP).join(cell for cell in cells if cell)
    joined.rstrip()
    return joined


def _others(nodes: tuple[NodeStatus, ...]) -> str:
    """`and 48 more, all training`, or how many are what."""
    states = counted(nodes)
    if len(states) == 1:
        return f"and {len(nodes)} more, {'all ' if len(nodes) > 1 else ''}{next(iter(states))}"
    return f"and {len(nodes)} more: {', '.join(f'{count} {state}' for state, count in states.most_common())}"
