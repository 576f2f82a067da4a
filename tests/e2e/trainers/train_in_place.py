"""A trainer as transformers' own: it saves in place, file by file, when SIGTERM comes, and knows no file of ours.

`--dies-at STEP` saves there by itself and dies halfway, in the first attempt only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--journal", type=Path, required=True)
parser.add_argument("--save-every", type=int, default=0)
parser.add_argument("--dies-at", type=int, default=0)
args = parser.parse_args()
attempt, rank = os.environ["STEADY_ATTEMPT"], os.environ.get("RANK", "0")
checkpoints = Path(os.environ["STEADY_CHECKPOINT_DIR"])
terminated = False


def terminate(*_: object) -> None:
    global terminated
    terminated = True


def save(step: int, *, dies: bool = False) -> None:
    place = checkpoints / f"checkpoint-{step}"
    place.mkdir(exist_ok=True)
    marker = place / "checkpoint-is-incomplete.txt"
    marker.touch()
    for name in ("model.bin", "optimizer.pt"):
        (place / name).write_text(str(step))
        time.sleep(0.3)
        if dies:
            sys.exit(1)
    (place / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    marker.unlink()


signal.signal(signal.SIGTERM, terminate)
resume = os.environ.get("STEADY_RESUME_FROM")
step = int((Path(resume) / "model.bin").read_text()) if resume else 0
while not terminated:
    step += 1
    time.sleep(0.03)
    if rank == "0":
        with args.journal.open("a") as journal:
            journal.write(f"{attempt} {step}\n")
    if args.save_every and step % args.save_every == 0 and rank == "0":
        save(step, dies=step == args.dies_at and attempt == "1")
if rank == "0":
    save(step)
