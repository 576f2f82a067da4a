#!/usr/bin/env python3
"""A loop of one's own over several ranks of torch: started by torchrun, asked by file, agreed at every step.

    torchrun --nproc-per-node 2 train_torchrun.py

`--by-signal` does without the helper: every rank catches SIGTERM, and they agree on that. `--sharded` saves with
torch.distributed.checkpoint, a directory that every rank writes its part of.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

from lifecycle import trainer

terminated = False


def settings() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--save-every", type=int, default=100, help="steps between checkpoints; 0: never")
    parser.add_argument("--step-time", type=float, default=0.05, help="seconds a step should take")
    parser.add_argument("--workers", type=int, default=0, help="of the data loader")
    parser.add_argument("--journal", type=Path, help="rank 0 appends every step done to this file")
    parser.add_argument("--by-signal", action="store_true", help="without the helper")
    parser.add_argument("--sharded", action="store_true", help="save with torch.distributed.checkpoint")
    return parser.parse_args()


def catch() -> None:
    def note(*_: object) -> None:
        global terminated
        terminated = True

    signal.signal(signal.SIGTERM, note)


def asked(step: int, by_signal: bool) -> tuple[bool, bool]:
    """(save, stop), the same on all ranks."""
    if not by_signal:
        return trainer.together(step)
    flag = torch.tensor([int(terminated)])
    dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    return bool(flag.item()), bool(flag.item())


class State:
    """What a checkpoint holds."""

    def __init__(self, sharded: bool) -> None:
        self.model = DistributedDataParallel(torch.nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self.sharded = sharded

    def save(self, directory: Path, step: int) -> None:
        if self.sharded:
            weights = {"model": self.model.module.state_dict(), "step": step}
            dcp.save(weights, checkpoint_id=directory / f"step-{step:06d}")
        elif dist.get_rank() == 0:
            kept = {"model": self.model.module.state_dict(), "optimizer": self.optimizer.state_dict(), "step": step}
            beside = directory / f"step-{step:06d}.pt.tmp"  # torch takes no name that begins with a dot
            torch.save(kept, beside)
            beside.replace(directory / f"step-{step:06d}.pt")
        dist.barrier()

    def load(self, path: str) -> int:
        if self.sharded:
            kept = {"model": self.model.module.state_dict(), "step": 0}
            dcp.load(kept, checkpoint_id=path)
        else:
            kept = torch.load(path)
            self.optimizer.load_state_dict(kept["optimizer"])
        self.model.module.load_state_dict(kept["model"])
        return int(kept["step"])


def batches(workers: int) -> DataLoader[tuple[torch.Tensor, ...]]:
    values = torch.randn(256, 8, generator=torch.Generator().manual_seed(dist.get_rank()))
    data = TensorDataset(values, values.sum(1, keepdim=True))
    return DataLoader(data, batch_size=8, num_workers=workers, persistent_workers=workers > 0)


def train(args: argparse.Namespace, state: State, step: int, directory: Path) -> bool:
    """Whether it came to the last step."""
    loader = batches(args.workers)
    while step < args.steps:
        for values, target in loader:
            torch.nn.functional.mse_loss(state.model(values), target).backward()
            state.optimizer.step()
            state.optimizer.zero_grad()
            time.sleep(args.step_time)
            step += 1
            if args.journal and dist.get_rank() == 0:
                with args.journal.open("a") as file:
                    file.write(f"{os.environ.get('STEADY_ATTEMPT', '0')} {step}\n")
            save, stop = asked(step, args.by_signal)
            if save or (args.save_every and step % args.save_every == 0):
                state.save(directory, step)
                trainer.saved(step) if not args.by_signal else None
            if stop:
                return False
            if step == args.steps:
                break
    return True


def main() -> None:
    args = settings()
    torch.set_num_threads(1)
    torch.manual_seed(7)
    if args.by_signal:
        catch()
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    state = State(args.sharded)
    resume = os.environ.get("STEADY_RESUME_FROM")
    step = state.load(resume) if resume else 0
    directory = Path(os.environ.get("STEADY_CHECKPOINT_DIR", "checkpoints"))
    directory.mkdir(parents=True, exist_ok=True)
    if train(args, state, step, directory) and dist.get_rank() == 0:
        trainer.done({"steps": args.steps})
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
