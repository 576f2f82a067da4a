"""What is tried: a trainer, how it is asked, its ranks on the node and the workers of its data loader."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from tests.trainers.environment import place

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"


class Expected(StrEnum):
    SAVED = "saved"
    """Asked once: a newer complete checkpoint, and a resume at its step."""
    TRAINS_ON = "trains on"
    """It cannot be asked: it is never signalled, the stop is refused, and nothing is lost."""


class Cell(NamedTuple):
    """One row of the table."""

    what: str
    profile: str
    script: str
    arguments: tuple[str, ...] = ()
    ranks: int = 1
    workers: int = 0
    by_notice: bool = False
    expected: Expected = Expected.SAVED
    redoes: int = 0
    """Steps that the trainer itself makes after its save, and makes again."""

    @property
    def id(self) -> str:
        notice = "-notice" if self.by_notice else ""
        return f"{self.what.replace(' ', '-')}-{self.ranks}x{self.workers}{notice}"

    def command(self, journal: Path) -> list[str]:
        """The trainer, made to take its time: it shall save because it is asked, not by itself."""
        python = str(place() / "bin" / "python")
        program = [str(EXAMPLES / self.script), "--steps", "100000", "--save-every", "100000"]
        paced = ["--step-time", "0.05", "--workers", str(self.workers), "--journal", str(journal)]
        if self.profile == "lightning":
            return [python, *program, *paced, "--ranks", str(self.ranks), *self.arguments]
        if self.ranks == 1 and self.profile != "torchrun":
            return [python, *program, *paced, *self.arguments]
        launcher = [str(place() / "bin" / "torchrun"), "--nproc-per-node", str(self.ranks)]
        return [*launcher, *program, *paced, *self.arguments]


def _each(what: str, profile: str, script: str, *arguments: str, ranks: tuple[int, ...] = (1, 2)) -> list[Cell]:
    """With and without workers of the data loader."""
    redoes = 1 if arguments == ("--jit",) else 0
    return [
        Cell(what, profile, script, arguments, count, workers, redoes=redoes)
        for count in ranks
        for workers in (0, 2)
    ]


LOOP, HUGGING_FACE, LIGHTNING = "train_torchrun.py", "train_transformers.py", "train_lightning.py"

CELLS = (
    *_each("loop with together", "torchrun", LOOP),
    *_each("loop by signal", "torchrun", LOOP, "--by-signal", ranks=(2,)),
    Cell("loop sharded", "torchrun", LOOP, ("--sharded",), ranks=2),
    *_each("transformers callback", "transformers", HUGGING_FACE),
    *_each("transformers jit", "transformers", HUGGING_FACE, "--jit", ranks=(1,)),
    *_each("lightning save_on_exception", "lightning", LIGHTNING),
    *_each("lightning callback", "lightning", LIGHTNING, "--callback", ranks=(2,)),
    Cell("loop with together", "torchrun", LOOP, ranks=2, workers=2, by_notice=True),
    Cell("transformers callback", "transformers", HUGGING_FACE, ranks=2, workers=2, by_notice=True),
    Cell("lightning save_on_exception", "lightning", LIGHTNING, ranks=2, workers=2, by_notice=True),
    Cell("transformers unasked", "transformers", HUGGING_FACE, ("--deaf",), expected=Expected.TRAINS_ON),
)
