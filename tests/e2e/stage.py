"""A fleet of real processes for one test: real commands, real machines, a real trainer.

Everything lies below one temporary directory; `close` ends whatever a test left and says so.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lifecycle.system import processes

TRAINER = Path(__file__).parents[2] / "specs" / "examples" / "train_tiny.py"
STEPS, SEED, STEP_TIME, SAVE_EVERY = 150, 7, 0.04, 40
PATIENCE = 60.0


@functools.cache
def undisturbed(steps: int = STEPS, seed: int = SEED) -> str:
    """The weights of a run that nobody disturbed."""
    command = [sys.executable, str(TRAINER), "--steps", str(steps), "--seed", str(seed), "--save-every", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def wait_until(condition: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """The condition's first true value; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {within:.0f}s: {what}")
        time.sleep(0.02)
    return found


class Stage:
    """One fleet with one pool `t`, and the hands to disturb it."""

    EXAMPLES = TRAINER.parent

    def __init__(self, folder: Path, fleet: str = "f") -> None:
        self.folder, self.state, self.spec = folder, folder / "state", folder / "fleet.yaml"
        self.fleet = fleet
        self._background: list[subprocess.Popen[str]] = []

    # ---- the spec --------------------------------------------------------------------------------

    def declare(
        self,
        *,
        nodes: int = 1,
        market: str = "spot",
        train: Mapping[str, Any] | None = None,
        arguments: tuple[str, ...] = (),
        **pool: Any,
    ) -> Stage:
        """Writes the spec: the tiny trainer, whose every step is noted in `journal-INDEX`-free files."""
        command = ["python", str(TRAINER), "--step-time", str(STEP_TIME), "--save-every", str(SAVE_EVERY)]
        training = {
            "command": [*command, "--journal", str(self.folder / "journal"), *arguments],
            "hyperparameters": {"steps": STEPS, "seed": SEED},
            **(train or {}),
        }
        described = {"nodes": nodes, "market": market, "train": training, **_patient(pool)}
        document = {"version": 1, "fleet": self.fleet, **self.provided, "pools": {"t": described}}
        self.spec.write_text(yaml.safe_dump(document, sort_keys=False))
        return self

    @property
    def provided(self) -> dict[str, Any]:
        """What the spec says of the provider."""
        return {"provider": "local"}

    # ---- commands --------------------------------------------------------------------------------

    def steady(self, *arguments: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end and checks its exit code."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=180,
            cwd=self.folder,
            env={**self.env, **env},
        )
        if code is not None:
            assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command in the background; its output goes to `background.log`."""
        with (self.folder / "background.log").open("a") as log:
            begun = subprocess.Popen(
                self.command(*arguments), stdout=log, stderr=log, text=True, cwd=self.folder, env=self.env
            )
        self._background.append(begun)
        return begun

    @property
    def env(self) -> dict[str, str]:
        """The environment of commands: nothing of ours that this process was started with."""
        return {name: value for name, value in os.environ.items() if not name.startswith("STEADY_")}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "lifecycle", "--state", str(self.state), *arguments]

    def apply(self, *flags: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.steady("apply", str(self.spec), "--yes", *flags, code=code)

    def controller(self) -> subprocess.Popen[str]:
        """`steady run` in the background: the loop that keeps the fleet true."""
        return self.start("run", str(self.spec), "--yes")

    def run_to_the_end(self, code: int = 0) -> None:
        self.steady("run", str(self.spec), "--yes", code=code)

    def document(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.steady(*arguments, "-o", "json").stdout)

    # ---- looking ---------------------------------------------------------------------------------

    def node(self, index: int = 0) -> dict[str, Any]:
        shown = self.document("status", self.fleet)["fleets"][0]["nodes"]
        return next(node for node in shown if node["node"] == f"{self.fleet}/t/{index}")

    def run(self, index: int = 0) -> dict[str, Any]:
        runs = self.document("history")["runs"]
        return next(run for run in runs if run["run"].endswith(f".{index}"))

    def lost(self, index: int = 0) -> int:
        return sum(self.run(index)["lost_steps"].values())

    def steps(self, attempt: int | None = None) -> list[int]:
        """The steps the trainer itself says it did, in order (one-node fleets)."""
        try:
            lines = (self.folder / "journal").read_text().splitlines()
        except FileNotFoundError:
            return []
        done = [line.split() for line in lines if line.count(" ") == 1]
        return [int(step) for number, step in done if attempt in (None, int(number))]

    def redone(self) -> int:
        """How many steps the trainer had to do again, by its own journal."""
        return sum(count - 1 for count in Counter(self.steps()).values())

    def reach(self, step: int, attempt: int | None = None) -> None:
        wait_until(lambda: max(self.steps(attempt), default=0) >= step, f"step {step}")

    def weights(self, index: int = 0) -> str:
        return self.run(index)["result"]["weights"]

    # ---- processes -------------------------------------------------------------------------------

    def instance(self, index: int = 0) -> str:
        return self.node(index)["instance"]

    def machine_pid(self, instance: str) -> int:
        return json.loads((self.state / "machines" / instance / "process.json").read_text())["process"]["pid"]

    def agent_pid(self, instance: str) -> int:
        return self._child(instance, "lifecycle.bootstrap.node")

    def trainer_pid(self, instance: str) -> int:
        return self._child(instance, "train_")

    def _child(self, instance: str, word: str) -> int:
        def find() -> int | None:
            for pid in processes.carriers("STEADY_INSTANCE_ID", instance):
                command = Path(f"/proc/{pid}/cmdline")
                if command.exists() and word in command.read_text():
                    return pid
            return None

        return wait_until(find, f"a process of {instance} with {word!r}")

    def left_over(self) -> list[int]:
        """Processes that carry an instance id of this stage."""
        known = {path.name for path in (self.state / "machines").glob("l-*")}
        return [pid for name in known for pid in processes.carriers("STEADY_INSTANCE_ID", name)]

    def close(self) -> None:
        for process in self._background:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        for path in (self.state / "machines").glob("l-*"):
            (path / "machine.json").unlink(missing_ok=True)
        processes.end_all(self.left_over)


def _patient(pool: dict[str, Any]) -> dict[str, Any]:
    """Short times for everything a test would have to wait for."""
    checkpoint = {"every": "2s", "save_time": "1s", **pool.pop("checkpoint", {})}
    stop = {"grace": "10s", **pool.pop("stop", {})}
    return {"checkpoint": checkpoint, "stop": stop, **pool}
