"""What `pulumi up` runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

sys.path.insert(0, str(Path(__file__).parent.parent))

from stacks.program import program

pulumi.run(program)
