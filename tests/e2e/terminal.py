"""A terminal of a command's own: what it shows, as the eye sees it, and the keys that are typed at it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import time

import pyte

from tests.e2e.stage import Stage


class Terminal:
    """A command on a terminal of its own, and what it has shown so far."""

    def __init__(
        self, command: list[str], folder: os.PathLike[str], *, columns: int = 160, lines: int = 50, **env: str
    ) -> None:
        self._ours, theirs = pty.openpty()
        _resize(theirs, columns, lines)
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        env = {**known, "TERM": "xterm", **env}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env, preexec_fn=_own_terminal
        )
        os.close(theirs)
        self._seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def shows(self, pattern: str) -> bool:
        """Whether the pattern was ever on the screen."""
        self._read()
        return re.search(pattern, self.text) is not None

    @property
    def screen(self) -> list[str]:
        """What is on the screen now, line by line."""
        self._read()
        return [line.rstrip() for line in self._screen.display]

    @property
    def rows(self) -> list[list[pyte.screens.Char]]:
        """What is on the screen now, cell by cell, down to the last line that is not empty."""
        self._read()
        last = max((number for number, line in enumerate(self._screen.display) if line.strip()), default=-1)
        return [
            [row[x] for x in range(self._screen.columns)]
            for row in map(self._screen.buffer.__getitem__, range(last + 1))
        ]

    def has(self, pattern: str) -> bool:
        """Whether the pattern is on the screen now."""
        return re.search(pattern, "\n".join(self.screen), re.MULTILINE) is not None

    @property
    def colours(self) -> set[str]:
        """Those on the screen now."""
        self._read()
        return {cell.fg for row in self._screen.buffer.values() for cell in row.values()} - {"default"}

    @property
    def text(self) -> str:
        """Whatever it has shown."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._seen.decode(errors="replace"))

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while select.select([self._ours], [], [], 0.02)[0]:
                shown = os.read(self._ours, 65536)
                self._seen += shown
                self._stream.feed(shown)

    def ends(self, within: float = 60.0) -> int:
        deadline = time.monotonic() + within
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        self._read()
        assert self.process.returncode is not None, self.text
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


class Terminals:
    """Those of one stage: what is open at its end is closed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._opened: list[Terminal] = []

    def open(self, *arguments: str, columns: int = 160, lines: int = 50, **env: str) -> Terminal:
        """Types this `steady` command on a new terminal."""
        command, folder = self._stage.command(*arguments), self._stage.folder
        self._opened.append(Terminal(command, folder, columns=columns, lines=lines, **env))
        return self._opened[-1]

    def close(self) -> None:
        for terminal in self._opened:
            terminal.close()


def _resize(terminal: int, columns: int, lines: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def _own_terminal() -> None:
    """A session with the terminal as its own, so that Ctrl-C is a signal as for a person."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
