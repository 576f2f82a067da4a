#!/usr/bin/env python3
"""A real, small, deterministic trainer: two-layer network, plain SGD, standard library only.

It shows the whole trainer's contract: resume from a verified checkpoint, save when asked, write aside and
rename, report progress and result. The same seed and steps give the same weights to the last bit, however
often it is interrupted; the last line prints their SHA-256. Runs by itself too:

    python specs/examples/train_tiny.py --steps 200
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import struct
import sys
import time
from pathlib import Path

from lifecycle import trainer

INPUTS, HIDDEN, BATCH = 4, 8, 16


class Model:
    """y = w2 · tanh(w1 · x), fitted to a fixed function of x."""

    def __init__(self, rng: random.Random) -> None:
        self.w1 = [[rng.gauss(0, 0.5) for _ in range(INPUTS)] for _ in range(HIDDEN)]
        self.w2 = [rng.gauss(0, 0.5) for _ in range(HIDDEN)]

    def step(self, rng: random.Random, rate: float) -> float:
        """One SGD step on a freshly drawn batch; returns the mean squared error before it."""
        total = 0.0
        for _ in range(BATCH):
            x = [rng.uniform(-1, 1) for _ in range(INPUTS)]
            hidden = [math.tanh(sum(w * v for w, v in zip(row, x, strict=True))) for row in self.w1]
            error = sum(w * h for w, h in zip(self.w2, hidden, strict=True)) - _target(x)
            total += error * error
            self._descend(x, hidden, error * rate / BATCH)
        return total / BATCH

    def _descend(self, x: list[float], hidden: list[float], scaled: float) -> None:
        for j, h in enumerate(hidden):
            slope = scaled * self.w2[j] * (1 - h * h)
            self.w2[j] -= scaled * h
            for i, v in enumerate(x):
                self.w1[j][i] -= slope * v

    def digest(self) -> str:
        flat = [w for row in self.w1 for w in row] + self.w2
        return hashlib.sha256(struct.pack(f"<{len(flat)}d", *flat)).hexdigest()


def _target(x: list[float]) -> float:
    return math.sin(2 * x[0]) + x[1] * x[2] - 0.5 * x[3]


def save(directory: Path, step: int, model: Model, rng: random.Random) -> None:
    """Writes a checkpoint aside, syncs it, and renames it into place."""
    directory.mkdir(parents=True, exist_ok=True)
    state = {"step": step, "w1": model.w1, "w2": model.w2, "rng": rng.getstate()}
    beside = directory / f".step-{step:06d}.json"
    with beside.open("w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(directory / f"step-{step:06d}.json")


def load(path: str, model: Model, rng: random.Random) -> int:
    state = json.loads(Path(path).read_text())
    model.w1, model.w2 = state["w1"], state["w2"]
    version, internal, gauss = state["rng"]
    rng.setstate((version, tuple(internal), gauss))
    return int(state["step"])


def settings() -> argparse.Namespace:
    """Command line over the spec's hyperparameters over defaults."""
    file = os.environ.get("STEADY_HYPERPARAMETERS")
    declared = json.loads(Path(file).read_text()) if file else {}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=declared.get("steps", 200))
    parser.add_argument("--seed", type=int, default=declared.get("seed", 7))
    parser.add_argument("--lr", type=float, default=declared.get("lr", 0.1))
    parser.add_argument("--save-every", type=int, default=50, help="steps between checkpoints; 0: never")
    parser.add_argument("--step-time", type=float, default=0.0, help="seconds a step should take")
    parser.add_argument("--journal", type=Path, help="append every step done to this file")
    return parser.parse_args()


def main() -> int:
    args = settings()
    rng = random.Random(args.seed)
    model = Model(rng)
    directory = Path(os.environ.get("STEADY_CHECKPOINT_DIR", "checkpoints"))
    resume = trainer.resume_from()
    done = load(resume, model, rng) if resume else 0
    trainer.progress(done, args.steps)
    print(f"training from step {done} to {args.steps}, seed {args.seed}", flush=True)
    for step in range(done + 1, args.steps + 1):
        began = time.monotonic()
        loss = model.step(rng, args.lr)
        time.sleep(max(0.0, args.step_time - (time.monotonic() - began)))
        if args.journal:
            with args.journal.open("a") as file:
                file.write(f"{os.environ.get('STEADY_ATTEMPT', '0')} {step}\n")
        stop = trainer.should_stop(step)
        if stop or trainer.should_save(step) or (args.save_every and step % args.save_every == 0):
            save(directory, step, model, rng)
            trainer.saved(step)
            print(f"step {step}: loss {loss:.4f}, saved", flush=True)
        if stop:
            print(f"stopping at step {step}, as asked", flush=True)
            return 0
    trainer.done({"weights": model.digest(), "steps": args.steps})
    print(f"weights sha256 {model.digest()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
