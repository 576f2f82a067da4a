"""A gang of three on one stage: real agents, and a trainer whose ranks talk over TCP."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from functools import cached_property
from typing import Any

from lifecycle.adapters.local.console import LocalConsole
from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.adapters.local.provider import LocalProvider
from lifecycle.model.ids import NodeName
from lifecycle.planning.gangs import port
from tests.e2e.stage import SEED, Stage

TRAINER = "train_gang.py"
RANKS, STEPS, STEP_TIME, SAVE_EVERY = 3, 120, 0.04, 40
RUN = "f.t.main"


@functools.cache
def undisturbed(steps: int = STEPS) -> str:
    """The weights of a gang that nobody disturbed."""
    command = [sys.executable, str(Stage.EXAMPLES / TRAINER), "--steps", str(steps), "--seed", str(SEED)]
    known = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port(f"undisturbed.{os.getpid()}", steps)),
    }
    env = [{**known, "STEADY_NODE_COUNT": str(RANKS), "STEADY_NODE_RANK": str(rank)} for rank in range(RANKS)]
    ranks = [
        subprocess.Popen([*command, "--save-every", "0"], env=each, stdout=subprocess.PIPE, text=True)
        for each in env
    ]
    (weights,) = {rank.communicate(timeout=60)[0].split()[-1] for rank in ranks}
    return weights


class GangStage(Stage):
    """The fleet `f` with the gang `t`."""

    steps_declared = STEPS

    def gang(self, *arguments: str, steps: int = STEPS, **pool: Any) -> GangStage:
        self.steps_declared = steps
        command = ["python", str(self.EXAMPLES / TRAINER), "--step-time", str(STEP_TIME), *arguments]
        noted = ["--save-every", str(SAVE_EVERY), "--journal", str(self.folder / "journal")]
        train = {"command": [*command, *noted], "hyperparameters": {"steps": steps, "seed": SEED}}
        self.declare(**{"nodes": RANKS, "mode": "gang", "train": train, **pool})
        return self

    def run(self, index: int = 0) -> dict[str, Any]:
        """The one run of all nodes."""
        (run,) = [run for run in self.document("history")["runs"] if run["run"] == RUN]
        return run

    @cached_property
    def console(self) -> LocalConsole:
        """What `steady local` does, at once."""
        state = StateDirectory(self.state)
        return LocalConsole(state, LocalProvider(state, lambda _: None))

    def wholes(self) -> list[int]:
        """The steps of which all ranks have shipped their parts."""
        found = (self.state / "objects").glob("runs/f/*/*/manifest.json")
        return sorted(int(path.parent.name.split("-")[1][1:]) for path in found)


def node_of(rank: int) -> NodeName:
    return NodeName("f", "t", rank)
