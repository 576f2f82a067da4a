"""The trainers' own virtual environment, outside the tree, kept for as long as the pins stay the same.

`python -m tests.trainers.environment` makes it. A trainer needs nothing of ours but `lifecycle/trainer.py`.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def place() -> Path:
    """Where it is, or would be."""
    pins = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return Path.home() / ".cache" / "steadyfleet" / f"trainers-{pins}"


def ready() -> bool:
    return (place() / ".installed").exists()


def make() -> Path:
    """Makes it unless it is there."""
    home = place()
    if not ready():
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(home / "bin" / "pip"), "install", "--quiet", "--no-cache-dir", "-r", str(REQUIREMENTS)]
        subprocess.run(install, check=True)
        (home / ".installed").touch()
        print(f"installed into {home} in {time.monotonic() - began:.0f} s")
    return home


def versions() -> str:
    """`accelerate 1.15.0, ...`, as pinned."""
    return ", ".join(REQUIREMENTS.read_text().replace("==", " ").splitlines())


if __name__ == "__main__":
    make()
