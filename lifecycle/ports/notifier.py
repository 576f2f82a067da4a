"""Telling people outside: a chat, a pager, a topic."""

from __future__ import annotations

from typing import Protocol

from lifecycle.model.tidings import Message


class Notifier(Protocol):
    @property
    def name(self) -> str:
        """For people's eyes: where it goes, without what is secret in its address."""
        ...

    @property
    def mark(self) -> str:
        """A digest of its whole address: tells targets apart, and tells nobody where they are."""
        ...

    def send(self, message: Message) -> None:
        """Raises SteadyError when it was not taken, within some seconds. A repeat is another message."""
        ...
