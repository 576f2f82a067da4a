#!/usr/bin/env python3
"""Hugging Face's Trainer with one line more: a tiny model of random weights, nothing is downloaded.

    torchrun --nproc-per-node 2 train_transformers.py     # or by itself, for one rank

`--jit` does without that line: the Trainer's own `enable_jit_checkpoint`, which hears SIGTERM. That is for one
rank; over several it is not agreed, and they may wait for each other for ever.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from lifecycle import trainer


def settings() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--save-every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--step-time", type=float, default=0.05, help="seconds a step should take")
    parser.add_argument("--workers", type=int, default=0, help="of the data loader")
    parser.add_argument("--journal", type=Path, help="rank 0 appends every step done to this file")
    parser.add_argument("--jit", action="store_true", help="without the callback")
    parser.add_argument("--deaf", action="store_true", help="with neither: it cannot be asked")
    return parser.parse_args()


class Sentences(Dataset[dict[str, torch.Tensor]]):
    def __len__(self) -> int:
        return 4096

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        words = torch.randint(0, 64, (16,), generator=torch.Generator().manual_seed(index))
        return {"input_ids": words, "labels": words}


class Steps(TrainerCallback):
    """Makes a step take its time, and notes it."""

    def __init__(self, seconds: float, journal: Path | None) -> None:
        self.seconds, self.journal = seconds, journal

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        time.sleep(self.seconds)
        if self.journal and state.is_world_process_zero:
            with self.journal.open("a") as file:
                file.write(f"{os.environ.get('STEADY_ATTEMPT', '0')} {state.global_step}\n")


def main() -> None:
    args = settings()
    torch.set_num_threads(1)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=1, n_head=2))
    callbacks: list[TrainerCallback] = [Steps(args.step_time, args.journal)]
    if not args.jit and not args.deaf:
        callbacks.append(trainer.TransformersCallback())
    training = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=os.environ.get("STEADY_CHECKPOINT_DIR", "checkpoints"),
            max_steps=args.steps,
            save_steps=args.save_every,
            save_total_limit=3,
            per_device_train_batch_size=4,
            dataloader_num_workers=args.workers,
            enable_jit_checkpoint=args.jit,
            use_cpu=not torch.cuda.is_available(),  # else ranks without an accelerator train apart
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Sentences(),
        callbacks=callbacks,
    )
    training.train(resume_from_checkpoint=os.environ.get("STEADY_RESUME_FROM"))


if __name__ == "__main__":
    main()
