"""A package as pip leaves it: modules in a folder of sys.path, and beside them what it registers."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "example_provider"


def installed(site: Path, name: str, entry_points: Mapping[str, str], modules: Mapping[str, str]) -> Path:
    """A package that registers these providers; returns `site`, for sys.path."""
    registered = site / f"{name}-1.0.dist-info"
    registered.mkdir(parents=True)
    (registered / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in entry_points.items()]
    (registered / "entry_points.txt").write_text("\n".join(["[steadyfleet.providers]", *lines]) + "\n")
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)
    return site


def example(site: Path) -> Path:
    """`tests/example_provider`, as its pyproject.toml says."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    registered = project["entry-points"]["steadyfleet.providers"]
    installed(site, project["name"].replace("-", "_"), registered, {})
    shutil.copy(EXAMPLE / "paper.py", site)
    return site
