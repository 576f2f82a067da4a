"""A founded region of AWS for the stories of a module, and the stage of one story there.

Everything is real but AWS: the CLI and its engine, the project's own program, `steady` as people start it, the
agents and trainers on the instance host's machines. One foundation serves all stories; each has a fleet of its own.
"""

from __future__ import annotations

import json
import runpy
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from lifecycle.bootstrap import cloud
from lifecycle.bootstrap.controller import Control
from lifecycle.control.loop import Ticked
from lifecycle.model import tags
from lifecycle.model.codec import convert
from lifecycle.model.foundation import Foundation, stack_of
from lifecycle.system import processes
from tests.doubles import ec2
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.console import Console
from tests.doubles.host import InstanceHost
from tests.doubles.kinds.kind import Clients
from tests.doubles.provider import ProviderDouble
from tests.e2e.stage import TRAINER, Stage, wait_until
from tests.engine.engine import Engine, Ran

ROOT = Path(__file__).parents[2]
IMAGE = "ami-12c6146b"
TYPES, ZONES = ("g5.2xlarge", "g6.2xlarge"), (f"{REGION}a", f"{REGION}b")
PATIENCE = 120.0
EVERY = 0.3
"""Seconds between two ticks that wait for something."""

LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
"""For stories that end before the training does."""

STEPS = 500
SOME = {"hyperparameters": {"steps": STEPS, "seed": 7}, "on_completion": "keep"}
"""Twenty seconds of training, for stories that end with it."""

CHANGING = ("create", "update", "delete")


class Region:
    """AWS with its foundation up, the hardware for its machines, and a person in the console."""

    def __init__(self, folder: Path, cli: Path, provider: ProviderDouble, aws: AwsDouble) -> None:
        self.aws, self.provider = aws, provider
        self.clients = Clients(aws.endpoint)
        self.console = Console(self.clients)
        self.engine = Engine(folder, cli, provider, aws, _checkout(folder / "checkout"))
        self.engine.serve(lambda: runpy.run_path(str(ROOT / "stacks" / "__main__.py"), run_name="__main__"))
        self.foundation = self._found(folder / "bundle.tar")
        self.host = InstanceHost(aws, self.clients, folder / "machines", self._node)
        self.host.watch.over("PULUMI_HOME", self.engine.env["PULUMI_HOME"])

    def _found(self, bundle: Path) -> Foundation:
        bundle.write_bytes(b"what a real machine would install")
        self.engine.select(stack_of(REGION), {"steady:bundle": str(bundle)})
        made(self.engine.up())
        return self.told()

    def told(self) -> Foundation:
        """The outputs of the foundation's stack, which is the one that is selected."""
        stack = next(r for r in self.engine.export()["deployment"]["resources"] if _is_stack(r))
        return convert(stack["outputs"], Foundation)

    @property
    def _node(self) -> dict[str, str]:
        """What the boot of a node on AWS tells its agent."""
        found = self.foundation
        return {"STEADY_REGION": REGION, "STEADY_TABLE": found.table, "STEADY_BUCKET": found.bucket}

    @property
    def env(self) -> dict[str, str]:
        """For `steady` on a laptop that is logged in to Pulumi and AWS."""
        path = f"{self.engine.cli.parent}:{self.engine.env['PATH']}"
        return {**self.engine.env, "PATH": path}

    @cached_property
    def control(self) -> Control:
        """A controller that goes on ticking, in this process: put together as `steady reconcile` does it."""
        return cloud.control(self.foundation)

    def close(self) -> None:
        """Ends the machines, and whatever works on this region's stacks still."""
        self.host.close()
        home = self.engine.env["PULUMI_HOME"]
        processes.end_all(lambda: processes.carriers("PULUMI_HOME", home))
        self.engine.close()
        self.clients.close()


class AwsStage(Stage):
    """One fleet in a region."""

    def __init__(self, region: Region, fleet: str) -> None:
        folder = region.engine.folder / fleet
        folder.mkdir()
        super().__init__(folder, fleet)
        self.region, self.spec = region, region.engine.project / f"{fleet}.yaml"

    def declare(self, *, train: Mapping[str, Any] | None = None, **pool: Any) -> AwsStage:
        """Writes the spec; no machine is replaced for its silence while a test looks elsewhere."""
        placed = {"instance_types": [*TYPES], "zones": [*ZONES], "image": IMAGE, "unreachable_after": "never"}
        super().declare(train={"workdir": str(TRAINER.parent), **(train or {})}, **placed, **pool)
        return self

    @property
    def provided(self) -> dict[str, Any]:
        return {"provider": "aws", "region": REGION}

    @property
    def env(self) -> dict[str, str]:
        own = {name: value for name, value in super().env.items() if not name.startswith("PULUMI_")}
        return {**own, **self.region.env, "STEADY_REGION": REGION}

    # ---- hands -----------------------------------------------------------------------------------

    def trains(self, nodes: int = 1, step: int = 1, **pool: Any) -> AwsStage:
        """The fleet, made by a person's `pulumi up`, with every node at this step or later."""
        self.declare(nodes=nodes, **{"train": LONG, **pool})
        made(self.pulumi_up())
        self.tick_until(lambda: all(self.step(index) >= step for index in range(nodes)), f"{nodes} nodes train")
        return self

    def pulumi_up(self, **flags: Any) -> Ran:
        """`pulumi up` as a person types it, in the project's folder."""
        self.region.engine.select(self.fleet, {"steady:spec": str(self.spec)})
        return self.region.engine.up(**flags)

    def pulumi_destroy(self) -> Ran:
        self.region.engine.select(self.fleet)
        return self.region.engine.destroy(run_program=True)

    def reconcile(self) -> dict[str, Any]:
        """`steady reconcile --once`: what it said."""
        done = self.steady("reconcile", str(self.spec), "--once", "-o", "json", code=None)
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))

    def tick(self, times: int = 1) -> Ticked:
        """So many ticks of the region's controller. Returns the last one."""
        for _ in range(times):
            ticked = self.region.control.controller.tick(self.fleet)
        return ticked

    def tick_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Ticks until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            ticked = self.tick()
            if found := condition():
                return found
            assert time.monotonic() < deadline, f"{what}: {ticked.plan} {ticked.record.errors}"
            time.sleep(EVERY)

    def settled(self) -> Ticked:
        """The first tick with nothing to do and nothing to wait for."""
        last: list[Ticked] = []

        def quiet() -> Any:
            last[:] = [self.tick()]
            return last[0].plan.settled and not last[0].record.errors

        wait_until(quiet, "a tick with nothing to do", PATIENCE)
        return last[0]

    # ---- looking ---------------------------------------------------------------------------------

    def live(self) -> dict[str, str]:
        """The machine of each node by what EC2 holds. Two for one node are a failure."""
        found: dict[str, str] = {}
        for node, instance in self._filled():
            assert node not in found, f"{node} has two machines: {found[node]}, {instance}"
            found[node] = instance
        return found

    def _filled(self) -> Iterator[tuple[str, str]]:
        for one in ec2.instances():
            told = {tag["key"]: tag["value"] for tag in one.get_tags()}
            if told.get(tags.FLEET) == self.fleet and one.state in ("pending", "running"):
                yield told[tags.NODE], one.id

    def in_state(self) -> list[str]:
        """The nodes, as `fleet.pool.index`, whose machines the stack's state knows."""
        self.region.engine.select(self.fleet)
        found = self.region.engine.resources()
        return sorted(name for name, resource in found.items() if resource["type"] == "aws:ec2/instance:Instance")

    def stacks(self) -> list[str]:
        """The names of all stacks that there are."""
        return [each["name"] for each in json.loads(self.region.engine.run("stack", "ls", "--json").stdout)]

    def instances(self) -> list[str]:
        """Of every node, in order."""
        return [self.live()[node] for node in sorted(self.live())]

    def instance(self, index: int = 0) -> str:
        return self.live()[f"{self.fleet}/t/{index}"]

    def runs(self) -> list[dict[str, Any]]:
        """Every run's history, in the order of its nodes: one command for all."""
        return sorted(self.document("history", self.fleet)["runs"], key=lambda run: str(run["run"]))

    def run(self, index: int = 0) -> dict[str, Any]:
        return self.runs()[index]

    def step(self, index: int = 0) -> int:
        """The step the trainer of this node says it is at; 0 before its first."""
        disk = self.region.host.state.machine(self.instance(index)).disk
        try:
            told = (disk / "runs" / f"{self.fleet}.t.main.{index}" / "progress.json").read_text()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        return int(json.loads(told)["step"])

    @contextmanager
    def changes(self) -> Iterator[list[tuple[str, str, str]]]:
        """What the provider is asked to change while the block runs: (op, type, logical name)."""
        before, found = len(self.region.provider.calls), []
        yield found
        found += [call for call in self.region.provider.calls[before:] if call[0] in CHANGING]

    def left_over(self) -> list[int]:
        return []

    def close(self) -> None:
        """Ends the commands, then the machines as if their fleet's owner had pulled the plug."""
        super().close()
        home = self.region.engine.env["PULUMI_HOME"]
        processes.end_all(lambda: processes.carriers("PULUMI_HOME", home))
        for _, instance in self._filled():
            self.region.console.terminate(instance)


def made(ran: Ran) -> Ran:
    """The run, which has to have gone well."""
    assert ran.code == 0, ran.output
    return ran


def _checkout(folder: Path) -> Path:
    """The project as it is checked out."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    (folder / "stacks").symlink_to(ROOT / "stacks")
    return folder


def _is_stack(resource: Mapping[str, Any]) -> bool:
    return bool(resource["type"] == "pulumi:pulumi:Stack")
