"""Every file of `specs/invalid` is refused with exactly the faults that its first lines name.

A first line reads `# error: LINE:COL: PATH: MESSAGE`, one per fault in the order of the report; in a file
that only `--strict` refuses it begins with `# warning:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from lifecycle.cli.entry import main
from lifecycle.model.errors import Fault, SpecError
from lifecycle.specfile import load, parse
from lifecycle.specfile.reader import MAX_BYTES

FOLDER = Path(__file__).parents[2] / "specs" / "invalid"
FILES = sorted(FOLDER.glob("*.yaml"))
HEADER = re.compile(rb"# (error|warning): (.+?)\r?\n")
POOL = "  p{}: {{nodes: -1, train: {{command: [x]}}}}\n"


def expected(data: bytes) -> list[tuple[str, str]]:
    """(severity, rest of the line) of the lines at the top that name a fault."""
    found, at = [], 0
    while header := HEADER.match(data, at):
        found.append((header[1].decode(), header[2].decode()))
        at = header.end()
    return found


def told(severity: str, faults: Iterable[Fault]) -> list[tuple[str, str]]:
    return [(severity, str(fault).removeprefix(f"{fault.file}:")) for fault in faults]


def refused(data: bytes) -> list[str]:
    """The faults of `data`, without the file's name."""
    with pytest.raises(SpecError) as caught:
        parse("spec.yaml", data, FOLDER)
    return [line for _, line in told("error", caught.value.faults)]


def test_there_are_many() -> None:
    assert len(FILES) >= 160


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_says_what_its_first_lines_name(file: Path) -> None:
    try:
        found = told("warning", load(file).warnings)
    except SpecError as error:
        found = told("error", error.faults)
    assert found == expected(file.read_bytes())
    assert found, "the file is sound, or its first line names nothing"


def test_three_hundred_mistakes_are_three_hundred_faults() -> None:
    head = "version: 1\nfleet: demo\nprovider: local\npools:\n"
    faults = refused((head + "".join(POOL.format(i) for i in range(300))).encode())
    assert faults == [
        f"{5 + i}:{len(f'  p{i}: {{nodes: ') + 1}: pools.p{i}.nodes: -1 must be at least 0" for i in range(300)
    ]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "1:1: the file is empty; `steady init` writes a spec to start from"),
        ("version: 1\n".encode("utf-16"), "1:1: is not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), "1:1: the file has 1,048,577 bytes; a spec has at most 1,048,576"),
    ],
    ids=["empty", "utf-16", "over-1-mib"],
)
def test_what_no_file_of_the_corpus_can_hold(data: bytes, fault: str) -> None:
    assert refused(data) == [fault]


def test_a_file_over_one_mib_is_refused_once(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (2 * MAX_BYTES))
    with pytest.raises(SpecError, match="1 error in the spec"):
        load(file)


def test_validate_prints_the_faults_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    file = FOLDER / "many-faults-in-both-pools.yaml"
    assert main(["validate", str(file)]) == 1
    out, err = capsys.readouterr()
    *faults, error, fix, more = err.splitlines()
    assert faults == [f"{file}:{line}" for _, line in expected(file.read_bytes())]
    assert error == f"error: {len(faults)} errors in the spec"
    assert fix.startswith("fix: ")
    assert more == "more: specs/errors.md#errors-in-a-spec"
    assert out == ""


def test_a_warning_is_refused_with_strict_only(capsys: pytest.CaptureFixture[str]) -> None:
    file = FOLDER / "warning-size-too-large.yaml"
    ((_, line),) = expected(file.read_bytes())
    assert main(["validate", str(file)]) == 0
    assert f"{file}:{line} (warning)" in capsys.readouterr().err
    assert main(["validate", "--strict", str(file)]) == 1
    assert f"{file}:{line}\n" in capsys.readouterr().err
