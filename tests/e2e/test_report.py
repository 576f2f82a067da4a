"""`steady report`: of a real fleet, with the figures of its history; written whole, and nothing else is changed."""

from __future__ import annotations

import pytest

from tests.e2e.stage import Stage
from tests.unit.report.reading import PageRead


def read(stage: Stage, name: str = "report.html") -> PageRead:
    return PageRead((stage.folder / name).read_text())


def test_its_figures_are_those_of_history(stage: Stage) -> None:
    controller = stage.declare(arguments=("--steps", "200")).controller()
    stage.reach(60)
    stage.steady("report", "f", "--to", "early.html")
    stage.steady("local", "kill", "f/t/0")
    stage.reach(80, attempt=2)
    stage.steady("local", "notice", "f/t/0", "--lead", "8s")
    assert controller.wait(60) == 0
    done = stage.steady("report", str(stage.spec), "--to", "report.html")
    page, run = read(stage), stage.run()
    assert (done.stdout, done.stderr[:19]) == ("", "Wrote report.html (")
    assert [row[1] for row in page.tables["attempts-table"][1:]] == ["3", "2", "1"]
    for row, attempt in zip(page.tables["attempts-table"][:0:-1], run["attempts"], strict=True):
        assert row[6].startswith(" by ".join(filter(None, (attempt["outcome"], attempt["cause"]))))
        assert int(row[7]) == attempt["lost_steps"]
    assert {row[0]: int(row[3]) for row in page.tables["causes"][1:] if row[3] != "0"} == run["lost_steps"]
    assert f"{sum(run['lost_steps'].values())} steps" in page.texts["figures"]
    assert "under way" in read(stage, "early.html").texts["attempts"]


def test_it_outlives_destroy_and_is_written_nowhere_but_where_it_is_asked(stage: Stage) -> None:
    stage.declare(arguments=("--steps", "5")).run_to_the_end()
    stage.steady("destroy", str(stage.spec), "--yes")
    before = sorted(path.name for path in stage.folder.iterdir())
    text = stage.steady("report", "f", "--to", "-").stdout
    nowhere = stage.steady("report", "f", "--to", "nowhere/report.html", code=1)
    assert "no spec stands: it was destroyed" in text
    assert len(PageRead(text).tables["attempts-table"]) == 2
    assert nowhere.stderr.startswith("error: nowhere/report.html: No such file or directory\nfix: ")
    assert sorted(path.name for path in stage.folder.iterdir()) == before


def test_a_fleet_that_nobody_knows_is_an_error_and_leaves_no_file(stage: Stage) -> None:
    said, fix = stage.steady("report", "nobody", "--to", "report.html", code=1).stderr.splitlines()
    assert (said, fix[:5]) == ("error: no fleet 'nobody' is applied here", "fix: ")
    assert list(stage.folder.iterdir()) == []


def test_a_directory_is_never_written_over(stage: Stage) -> None:
    (stage.folder / "pages").mkdir()
    done = stage.steady("report", "f", "--to", "pages", code=64)
    assert done.stderr == "error: pages is a directory\nfix: name a file, e.g. --to pages/report.html\n"


@pytest.mark.parametrize("missing", [("report", "f"), ("report", "--to", "x")])
def test_what_is_missing_is_wrong_usage(stage: Stage, missing: tuple[str, ...]) -> None:
    assert stage.steady(*missing, code=64).stderr.startswith("error: Missing ")
