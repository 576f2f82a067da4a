"""The bundle that machines install: the same from the same sources, and all that an agent needs."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import tarfile
from pathlib import Path

import pytest

from lifecycle.model.errors import SteadyError
from stacks import bundle

CONSTRAINTS = bundle.ROOT / ".ci" / "constraints.txt"


def names_in(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return tar.getnames()


@pytest.mark.slow
def test_the_real_bundle_is_built_twice_alike_and_named_by_its_digest() -> None:
    made = bundle.built()
    content = made.read_bytes()
    assert bundle.built() == made
    assert made.name == f"{hashlib.sha256(content).hexdigest()}.tar"
    names = names_in(content)
    assert any(name.startswith("steadyfleet-") for name in names)
    for python in ("cp311", "cp312", "cp313"):
        assert sum(name.startswith("msgspec-") and f"-{python}-" in name for name in names) == 2


def test_a_bundle_depends_on_names_and_content_only(tmp_path: Path) -> None:
    (tmp_path / "b.whl").write_bytes(b"b")
    (tmp_path / "a.whl").write_bytes(b"a")
    first = bundle.packed([tmp_path / "b.whl", tmp_path / "a.whl"])
    (tmp_path / "a.whl").chmod(0o600)
    (tmp_path / "a.whl").touch()
    assert bundle.packed([tmp_path / "a.whl", tmp_path / "b.whl"]) == first
    assert names_in(first) == ["a.whl", "b.whl"]


def test_the_lock_has_the_versions_that_are_tested_here() -> None:
    def pinned(text: str) -> set[str]:
        return {found.lower() for found in re.findall(r"^[\w.-]+==[\w.]+", text, re.MULTILINE)}

    tested = {*pinned(CONSTRAINTS.read_text())}
    locked = {pin for pin in pinned(bundle.LOCK.read_text()) if not pin.startswith("pip==")}
    assert locked <= tested
    assert {pin.partition("==")[0] for pin in locked} >= {"boto3", "botocore", "msgspec", "psutil"}


def test_what_cannot_be_built_is_one_line_and_its_fix() -> None:
    with pytest.raises(SteadyError) as refused:
        bundle.run("no_such_module")
    assert refused.value.what == (
        f"the agent's bundle cannot be made: no_such_module: {sys.executable}: No module named no_such_module"
    )
    assert "pip install -e '.[aws,stacks]'" in refused.value.fix
