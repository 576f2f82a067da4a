"""A trainer that ignores every request and SIGTERM: it only tells its progress, and saves now and then."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

signal.signal(signal.SIGTERM, lambda *_: None)
run, checkpoints = Path(os.environ["STEADY_RUN_DIR"]), Path(os.environ["STEADY_CHECKPOINT_DIR"])
save_every = int(sys.argv[1])
resume = os.environ.get("STEADY_RESUME_FROM")
done = int(resume.rpartition("-")[2]) if resume else 0
journal = Path(sys.argv[2])
for step in range(done + 1, 100_000):
    time.sleep(0.02)
    with journal.open("a") as steps:
        steps.write(f"{os.environ['STEADY_ATTEMPT']} {step}\n")
    beside = run / ".progress"
    beside.write_text(json.dumps({"step": step}))
    beside.replace(run / "progress.json")
    if save_every and step % save_every == 0:
        (checkpoints / ".new").write_text(str(step))
        (checkpoints / ".new").replace(checkpoints / f"step-{step}")
