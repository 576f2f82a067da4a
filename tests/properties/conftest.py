"""The same examples every time, no timing, and nothing left on the disk."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", database=None, deadline=None, derandomize=True)
settings.load_profile("steady")
