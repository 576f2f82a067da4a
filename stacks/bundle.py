"""The agent as machines install it: one file, named by its digest, with its installer and all wheels that it needs.

Machines fetch it (`boot`) and install from it (`install`) without the network at large. The same sources and lock
give the same file, so a `pulumi up` without a change has nothing to do.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from lifecycle.model.errors import SteadyError
from lifecycle.system.files import write_whole

ROOT = Path(__file__).parent.parent
LOCK, INSTALLER = Path(__file__).with_name("agent.lock"), Path(__file__).with_name("install.py")

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROCESSORS = ("x86_64", "aarch64")
_LINUX = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")


def built(cache: Path | None = None) -> Path:
    """The bundle of this checkout, `<digest>.tar`, made if need be. Raises SteadyError.

    The locked wheels come from the package index once, checked by their hashes, and stay below `cache`.
    """
    _in_a_checkout()
    cache = cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "steadyfleet"
    with tempfile.TemporaryDirectory() as folder:
        own = _wheel(Path(folder))
        bundle = packed([INSTALLER, own, *_locked(cache / "wheels")])
    target = cache / "bundles" / f"{hashlib.sha256(bundle).hexdigest()}.tar"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, bundle)
    return target


def _in_a_checkout() -> None:
    """A wheel cannot be made of one that is installed."""
    if not (ROOT / "pyproject.toml").exists():
        raise SteadyError(
            "the agent's bundle is built from a checkout, and this is an installed steadyfleet",
            fix="type `pulumi up` of the foundation in a checkout; or name a bundle made there: "
            "pulumi config set steady:bundle FILE",
        )


def digest_of(bundle: Path) -> str:
    """The SHA-256 that a bundle is called by, of its content."""
    try:
        return hashlib.sha256(bundle.read_bytes()).hexdigest()
    except OSError as error:
        raise SteadyError(
            f"{bundle}: {error.strerror}", fix="name a bundle that is there, or `pulumi config rm steady:bundle`"
        ) from None


def packed(files: Iterable[Path]) -> bytes:
    """A tar of these files that depends on nothing but their names and content."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in sorted(files, key=lambda file: file.name):
            entry, content = tarfile.TarInfo(file.name), file.read_bytes()
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def _wheel(folder: Path) -> Path:
    """This project's own wheel. Its builder stamps all files with one fixed time."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
    run("hatchling", "build", "-t", "wheel", "-d", str(folder), env=environment)
    return next(folder.glob("*.whl"))


def _locked(cache: Path) -> list[Path]:
    """The wheels of the lock. What is in `cache` counts by its hash only."""
    wanted = set(re.findall(r"sha256:([0-9a-f]{64})", LOCK.read_text()))
    cache.mkdir(parents=True, exist_ok=True)
    found = _by_digest(cache)
    if not wanted <= found.keys():
        for processor, python in product(PROCESSORS, PYTHONS):
            _download(cache, python, processor)
        found = _by_digest(cache)
    if not wanted <= found.keys():
        raise SteadyError(f"{LOCK} names wheels that no machine needs", fix="remove their hashes from it")
    return [found[digest] for digest in wanted]


def _by_digest(folder: Path) -> dict[str, Path]:
    return {digest_of(wheel): wheel for wheel in folder.glob("*.whl")}


def _download(folder: Path, python: str, processor: str) -> None:
    platforms = [f"--platform={linux}_{processor}" for linux in _LINUX]
    strictly = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp")
    target = (f"--python-version={python}", f"--dest={folder}", "-r", str(LOCK))
    run("pip", "download", "--quiet", "--disable-pip-version-check", *strictly, *platforms, *target)


def run(module: str, *words: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise SteadyError(
            f"the agent's bundle cannot be made: {module}: {said}",
            fix="pip install -e '.[aws,stacks]', with a package index in reach; "
            "or name a bundle made elsewhere: pulumi config set steady:bundle FILE",
        )


if __name__ == "__main__":
    print(built())
