"""Names: of nodes (`fleet/pool/index`), of runs (`fleet.pool.run.index`), of checkpoints in a store."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from lifecycle.model.errors import WrongUsage

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class NodeName(msgspec.Struct, frozen=True, order=True):
    """A stable slot of a fleet. It outlives the machines that fill it."""

    fleet: str
    pool: str
    index: int

    def __str__(self) -> str:
        return f"{self.fleet}/{self.pool}/{self.index}"

    @property
    def short(self) -> str:
        """The name within its fleet: `trainers/0`."""
        return f"{self.pool}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> NodeName:
        """`demo/trainers/0` -> NodeName. Raises WrongUsage."""
        return _parsed(text)


@lru_cache(maxsize=50_000)
def _parsed(text: str) -> NodeName:
    """A tick parses the same names over and over."""
    match text.split("/"):
        case [fleet, pool, index] if (
            NAME.fullmatch(fleet) and NAME.fullmatch(pool) and re.fullmatch(r"0|[1-9][0-9]{0,4}", index)
        ):
            return NodeName(fleet, pool, int(index))
    raise WrongUsage(f"{text!r} is not a node", fix="write it as fleet/pool/index, e.g. demo/trainers/0")


def run_id(node: NodeName, run: str) -> str:
    """The id of the run that an independent node trains: `<fleet>.<pool>.<run>.<index>`."""
    return f"{node.fleet}.{node.pool}.{run}.{node.index}"


def gang_run_id(fleet: str, pool: str, run: str) -> str:
    """The id of the one run over all nodes of a gang pool: `<fleet>.<pool>.<run>`."""
    return f"{fleet}.{pool}.{run}"


WHOLE = "whole"


def checkpoint_prefix(fleet: str, run: str, epoch: int, step: int, mark: str) -> str:
    """Where a checkpoint's objects lie: sorted by (epoch, step) within its run; `mark` tells two saves apart.

    All ranks of a gang ship to one place, whose mark is WHOLE.
    """
    return f"runs/{fleet}/{run}/e{epoch:06d}-s{step:012d}-{mark}"


def epoch_of(prefix: str) -> int:
    """The epoch in a checkpoint's prefix; -1 when it is none of ours."""
    match = re.fullmatch(r"runs/[^/]+/[^/]+/e([0-9]+)-s[0-9]+-([0-9a-f]+|whole)", prefix)
    return int(match[1]) if match else -1


def urn_name(node: str) -> str:
    """The logical name of a node's instance in its fleet's stack: `fleet/pool/0` -> `fleet.pool.0`."""
    return node.replace("/", ".")
