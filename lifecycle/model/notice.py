"""Notice arithmetic: does detect + save + upload fit the two minutes that EC2 gives?

Source of the figures: EC2 gives 120 s; the agent looks every second; 0.26 GB/s is one client's default
upload as reported from the field, until this fleet has measured its own.
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

from lifecycle.model.fleet import Checkpoint
from lifecycle.model.proving import SaveProof

NOTICE = 120.0
DETECT = 2.0
RESERVE = 10.0
UPLOAD_BYTES_PER_SECOND = 260e6


class NoticeArithmetic(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one save under a notice, in seconds."""

    save: float
    upload: float
    size: str = ""
    measured: bool = False
    """`save` was seen on this fleet, its upload included."""

    @classmethod
    def of(cls, checkpoint: Checkpoint, seen: SaveProof | None = None) -> Self:
        """By the spec's estimates; by what was seen, where a stop was measured."""
        if seen is not None and seen.seconds is not None:
            return cls(save=seen.seconds, upload=0.0, measured=True)
        upload = checkpoint.size / UPLOAD_BYTES_PER_SECOND if checkpoint.size is not None else 0.0
        size = str(checkpoint.size) if checkpoint.size is not None else ""
        return cls(save=float(checkpoint.save_time), upload=upload, size=size)

    @property
    def needed(self) -> float:
        return DETECT + self.save + self.upload + RESERVE

    @property
    def fits(self) -> bool:
        return self.needed <= NOTICE

    def sentence(self) -> str:
        """The sum in words; with what follows where it does not fit."""
        upload = f" + upload {math.ceil(self.upload)}s ({self.size} at 0.26 GB/s)" if self.size else ""
        save = (
            f"save and upload {math.ceil(self.save)}s (measured)"
            if self.measured
            else f"save {math.ceil(self.save)}s"
        )
        return (
            f"a save under a spot notice needs {math.ceil(self.needed)}s of {NOTICE:.0f}s: detect {DETECT:.0f}s"
            f" + {save}{upload} + reserve {RESERVE:.0f}s"
            f"{'' if self.fits else '; the newest complete checkpoint will be what is kept'}"
        )
