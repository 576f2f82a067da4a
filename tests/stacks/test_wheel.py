"""The wheel: machines and people who have no checkout get the program of the stacks with it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, unpacked as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    return site


def elsewhere(installed: Path, code: str) -> str:
    """What the code prints in a process that has the wheel and no checkout."""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed.parent, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_installed_wheel_has_the_program_of_the_stacks(installed: Path) -> None:
    told = elsewhere(
        installed, "import stacks.program, lifecycle; print(stacks.program.__file__, lifecycle.__file__)"
    )
    assert told == f"{installed}/stacks/program.py {installed}/lifecycle/__init__.py"


def test_all_that_a_machine_boots_from_is_in_the_wheel(installed: Path) -> None:
    for file in ("stacks/agent.lock", "stacks/boot.py", "stacks/install.py", "lifecycle/specs/fleet.schema.json"):
        assert (installed / file).read_bytes() == (ROOT / file.removeprefix("lifecycle/")).read_bytes()
    told = elsewhere(installed, "from stacks import userdata; print(userdata.__file__)")
    assert told == f"{installed}/stacks/userdata.py"


def test_an_error_names_the_page_in_the_wheel(installed: Path) -> None:
    told = elsewhere(installed, "from lifecycle.cli.told import located; print(located('specs/errors.md#resize'))")
    assert told == f"{installed}/lifecycle/specs/errors.md#resize"
    assert (installed / "lifecycle/specs/errors.md").read_bytes() == (ROOT / "specs/errors.md").read_bytes()


def test_all_that_a_report_carries_is_in_the_wheel(installed: Path) -> None:
    for file in ("lifecycle/report/page.css", "lifecycle/report/page.js"):
        assert (installed / file).read_bytes() == (ROOT / file).read_bytes()


def test_without_a_checkout_no_bundle_is_built_and_one_line_says_so(installed: Path) -> None:
    told = elsewhere(
        installed,
        "from stacks import bundle\n"
        "from lifecycle.model.errors import SteadyError\n"
        "try: bundle.built()\n"
        "except SteadyError as error: print(error.what, '|', error.fix)",
    )
    assert told == (
        "the agent's bundle is built from a checkout, and this is an installed steadyfleet | "
        "type `pulumi up` of the foundation in a checkout; or name a bundle made there: "
        "pulumi config set steady:bundle FILE"
    )
