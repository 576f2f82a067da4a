#!/usr/bin/env python3
"""A real trainer of several ranks: one process per node, gradients summed over TCP, standard library only.

Rank 0 listens at MASTER_ADDR:MASTER_PORT, sums what the ranks send, and sends the sum back: weights are equal
on all ranks after every step. Whether to save and whether to stop is summed with the gradients, so that all
ranks do it at the same step, whoever was asked. By itself:

    MASTER_ADDR=127.0.0.1 MASTER_PORT=29400 STEADY_NODE_COUNT=3 STEADY_NODE_RANK=0 python train_gang.py &  # 1, 2
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from lifecycle import trainer

WEIGHTS = 8
RENDEZVOUS_SECONDS = 60.0


class Group:
    """The ranks of one attempt. Rank 0 holds a connection to every other; a lost peer is an OSError."""

    def __init__(self, rank: int, count: int, address: tuple[str, int]) -> None:
        self.rank, self.count = rank, count
        self._peers = _gathered(address, count - 1) if rank == 0 else [_joined(address)]

    def total(self, mine: list[float]) -> list[float]:
        """The sum over all ranks, added up in order of rank: to the last bit the same everywhere."""
        if self.rank > 0:
            _send(self._peers[0], {"rank": self.rank, "values": mine})
            return list(_receive(self._peers[0])["values"])
        told = sorted((_receive(peer) for peer in self._peers), key=lambda said: said["rank"])
        summed = [sum(column) for column in zip(mine, *(said["values"] for said in told), strict=True)]
        for peer in self._peers:
            _send(peer, {"values": summed})
        return summed


def _gathered(address: tuple[str, int], count: int) -> list[socket.socket]:
    peers: list[socket.socket] = []
    with socket.create_server(("", address[1])) as server:
        server.settimeout(0.2)
        deadline = time.monotonic() + RENDEZVOUS_SECONDS
        while len(peers) < count:
            try:
                peer, _ = server.accept()
            except TimeoutError:
                _give_up(deadline)
                continue
            peer.settimeout(None)
            peers.append(peer)
    return peers


def _joined(address: tuple[str, int]) -> socket.socket:
    deadline = time.monotonic() + RENDEZVOUS_SECONDS
    while True:
        try:
            peer = socket.create_connection(address, timeout=5)
        except OSError:
            _give_up(deadline)
            time.sleep(0.05)
        else:
            peer.settimeout(None)
            return peer


def _give_up(deadline: float) -> None:
    """Leaves when asked to, or when the others do not come."""
    if trainer.should_stop(0):
        sys.exit(0)
    if time.monotonic() > deadline:
        sys.exit("the other ranks did not come")


def _send(peer: socket.socket, said: dict[str, Any]) -> None:
    data = json.dumps(said).encode()
    peer.sendall(struct.pack("!I", len(data)) + data)


def _receive(peer: socket.socket) -> dict[str, Any]:
    size = struct.unpack("!I", _exactly(peer, 4))[0]
    said: dict[str, Any] = json.loads(_exactly(peer, size))
    return said


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        if not part:
            raise ConnectionError("a rank has gone")
        data += part
    return data


class Model:
    """w fitted to the mean of what the ranks draw; every rank draws from a generator of its own."""

    def __init__(self, seed: int, rank: int) -> None:
        self.weights = [0.0] * WEIGHTS
        self.rng = random.Random(f"{seed}/{rank}")

    def gradient(self) -> list[float]:
        return [weight - self.rng.gauss(1.0, 1.0) for weight in self.weights]

    def descend(self, summed: list[float], rate: float) -> None:
        self.weights = [weight - rate * slope for weight, slope in zip(self.weights, summed, strict=True)]

    def digest(self) -> str:
        return hashlib.sha256(struct.pack(f"<{WEIGHTS}d", *self.weights)).hexdigest()


def save(directory: Path, step: int, model: Model) -> None:
    """This rank's part, written aside, synced, and renamed into place."""
    directory.mkdir(parents=True, exist_ok=True)
    beside = directory / f".step-{step:06d}.json"
    with beside.open("w") as file:
        json.dump({"step": step, "weights": model.weights, "rng": model.rng.getstate()}, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(directory / f"step-{step:06d}.json")


def load(path: str, model: Model) -> int:
    state = json.loads(Path(path).read_text())
    model.weights = state["weights"]
    version, internal, gauss = state["rng"]
    model.rng.setstate((version, tuple(internal), gauss))
    return int(state["step"])


def settings() -> argparse.Namespace:
    """Command line over the spec's hyperparameters over defaults."""
    file = os.environ.get("STEADY_HYPERPARAMETERS")
    declared = json.loads(Path(file).read_text()) if file else {}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=declared.get("steps", 200))
    parser.add_argument("--seed", type=int, default=declared.get("seed", 7))
    parser.add_argument("--lr", type=float, default=declared.get("lr", 0.01))
    parser.add_argument("--save-every", type=int, default=50, help="steps between checkpoints; 0: never")
    parser.add_argument("--step-time", type=float, default=0.0, help="seconds a step should take")
    parser.add_argument("--journal", type=Path, help="rank 0 appends every step done to this file")
    parser.add_argument("--patient", action="store_true", help="wait for a lost rank for ever instead of failing")
    parser.add_argument("--address", help="where rank 0 is, instead of MASTER_ADDR")
    return parser.parse_args()


def train(args: argparse.Namespace, group: Group, model: Model, done: int) -> bool:
    """Whether it came to the last step; otherwise it was asked to stop, and has saved."""
    directory = Path(os.environ.get("STEADY_CHECKPOINT_DIR", f"checkpoints-{group.rank}"))
    for step in range(done + 1, args.steps + 1):
        time.sleep(args.step_time)
        flags = [float(trainer.should_stop(step - 1)), float(trainer.should_save(step - 1))]
        *summed, stop, asked = group.total([*model.gradient(), *flags])
        model.descend(summed, args.lr)
        if args.journal and group.rank == 0:
            with args.journal.open("a") as file:
                file.write(f"{os.environ.get('STEADY_ATTEMPT', '0')} {step}\n")
        if stop or asked or (args.save_every and step % args.save_every == 0):
            save(directory, step, model)
            trainer.saved(step)
        if stop:
            print(f"stopping at step {step}, as asked", flush=True)
            return False
    return True


def main() -> int:
    args = settings()
    rank, count = int(os.environ.get("STEADY_NODE_RANK", "0")), int(os.environ.get("STEADY_NODE_COUNT", "1"))
    model = Model(args.seed, rank)
    resume = trainer.resume_from()
    done = load(resume, model) if resume else 0
    address = (args.address or os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    trainer.progress(done, args.steps)
    print(f"rank {rank} of {count}: from step {done} to {args.steps}, rank 0 at {address}", flush=True)
    try:
        finished = train(args, Group(rank, count, address), model, done)
    except OSError:
        while args.patient:
            time.sleep(0.1)
        raise
    if finished:
        trainer.done({"weights": model.digest(), "steps": args.steps})
        print(f"weights sha256 {model.digest()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
