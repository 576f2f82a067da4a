"""The README's picture of `steady run`: the demo on a real terminal, at the moment of its notice, as an SVG.

`python -m tests.run_picture` takes it anew; look at it before it is committed.
"""

from __future__ import annotations

import io
import itertools
import sys
import tempfile
import time
from pathlib import Path

import pyte.screens
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.e2e.terminal import Terminal

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "specs" / "examples" / "run.svg"
COLUMNS, LINES, PATIENCE = 92, 24, 60.0
SENTENCE = "under notice"
WORTH = r"notice: \ds left"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = str(ROOT / "specs" / "examples" / "demo.yaml")
        command = [sys.executable, "-m", "lifecycle", "--state", f"{folder}/state", "run", "--yes", demo]
        terminal = Terminal(command, folder, columns=COLUMNS, lines=LINES)
        try:
            PICTURE.write_text(_taken(terminal))
            terminal.ends(PATIENCE)
        finally:
            terminal.close()


def _taken(terminal: Terminal) -> str:
    deadline = time.monotonic() + PATIENCE
    while not terminal.has(WORTH):
        assert time.monotonic() < deadline, "\n".join(terminal.screen)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in itertools.dropwhile(lambda line: SENTENCE not in line.plain, map(_line, terminal.rows)):
        console.print(line)
    return console.export_svg(title="steady run demo.yaml", theme=MONOKAI, code_format=_FORMAT)


def _line(row: list[pyte.screens.Char]) -> Text:
    line = Text()
    for cell in row:
        color = None if cell.fg == "default" else cell.fg.replace("brown", "yellow")
        line.append(cell.data, Style(color=color, bold=cell.bold))
    line.rstrip()
    return line


_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own, without the fonts that it would fetch from elsewhere."""


if __name__ == "__main__":
    main()
