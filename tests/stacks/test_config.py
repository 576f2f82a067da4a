"""The keys of `pulumi config`: the page of stacks names those that the program reads, and no others."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCHEDULE = "schedule"
"""Its own keys stand on the page of scheduled runs."""


def test_the_page_names_the_config_keys_that_the_program_reads() -> None:
    named = set(re.findall(r"steady:(\w+)", (ROOT / "stacks" / "README.md").read_text()))
    program = (ROOT / "stacks" / "program.py").read_text()
    read = set(re.findall(r"""(?:config|Config\("steady"\))\.get(?:_bool)?\("(\w+)"\)""", program))
    assert named - {SCHEDULE} == read == {"spec", "allowEmpty", "takeOver", "rollback", "acceptUnproven", "bundle"}
