#!/usr/bin/env python3
"""Lightning's Trainer as it is: SIGTERM makes it save, because its ModelCheckpoint does so on exceptions.

    python train_lightning.py --ranks 2

`--callback` asks by file instead, agreed by all ranks at every step.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from lifecycle import trainer


def settings() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--save-every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--step-time", type=float, default=0.05, help="seconds a step should take")
    parser.add_argument("--workers", type=int, default=0, help="of the data loader")
    parser.add_argument("--ranks", type=int, default=1, help="on this machine; Lightning starts them by itself")
    parser.add_argument("--journal", type=Path, help="rank 0 appends every step done to this file")
    parser.add_argument("--callback", action="store_true", help="asked by file")
    return parser.parse_args()


class Fit(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        values, target = batch
        return torch.nn.functional.mse_loss(self.layer(values), target)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.01)


class Steps(Callback):
    """Makes a step take its time, and notes it."""

    def __init__(self, seconds: float, journal: Path | None) -> None:
        self.seconds, self.journal = seconds, journal

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        time.sleep(self.seconds)
        if self.journal and trainer.is_global_zero:
            with self.journal.open("a") as file:
                file.write(f"{os.environ.get('STEADY_ATTEMPT', '0')} {trainer.global_step}\n")


def main() -> None:
    args = settings()
    torch.set_num_threads(1)
    directory = os.environ.get("STEADY_CHECKPOINT_DIR", "checkpoints")
    saving = ModelCheckpoint(directory, every_n_train_steps=args.save_every, save_top_k=-1, save_on_exception=True)
    callbacks: list[Callback] = [Steps(args.step_time, args.journal), saving]
    if args.callback:
        callbacks.append(trainer.LightningCallback())
    values = torch.randn(512, 8, generator=torch.Generator().manual_seed(7))
    data = TensorDataset(values, values.sum(1, keepdim=True))
    training = Trainer(
        max_steps=args.steps,
        accelerator="auto",
        devices=args.ranks,
        strategy="ddp" if args.ranks > 1 else "auto",
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = DataLoader(data, batch_size=8, num_workers=args.workers, persistent_workers=args.workers > 0)
    training.fit(Fit(), loader, ckpt_path=os.environ.get("STEADY_RESUME_FROM"))


if __name__ == "__main__":
    main()
