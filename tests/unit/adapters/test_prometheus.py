"""What Prometheus reads: parsed by its own client's parser."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lifecycle.adapters.prometheus import Exposition, must_be_writable
from lifecycle.model.errors import SteadyError
from lifecycle.model.metrics import Family, Measure, Sample

AGE = Family(name="steady_age_seconds", measure=Measure.GAUGE, about="An age.", labels=("fleet", "pool"))
LOST = Family(name="steady_lost_seconds_total", measure=Measure.COUNTER, about="A loss.", labels=("fleet",))


def told(*fleets: str) -> Exposition:
    exposition = Exposition()
    for fleet in fleets:
        exposition.put(fleet, samples(fleet))
    return exposition


def samples(fleet: str) -> tuple[Sample, ...]:
    age = Sample(family=AGE, labels=(fleet, 'a "t"\\'), value=60.0)
    return age, Sample(family=LOST, labels=(fleet,), value=1.5)


def read(text: bytes) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text.decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_each_family_is_there_once_with_the_samples_of_all_fleets() -> None:
    text = told("f", "g").text()
    assert text.count(b"# TYPE steady_lost_seconds_total counter") == 1
    assert read(text) == {
        ("steady_age_seconds", "f", 'a "t"\\'): 60.0,
        ("steady_age_seconds", "g", 'a "t"\\'): 60.0,
        ("steady_lost_seconds_total", "f"): 1.5,
        ("steady_lost_seconds_total", "g"): 1.5,
    }


def test_a_fleets_next_look_takes_the_place_of_its_last() -> None:
    exposition = told("f", "g")
    exposition.put("f", ())
    assert {labels[0] for _, *labels in read(exposition.text())} == {"g"}


def test_the_textfile_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "steady.prom"
    told("f").write(file)
    told("g").write(file)
    assert read(file.read_bytes()) == read(told("g").text())
    assert [path.name for path in tmp_path.iterdir()] == ["steady.prom"]


def test_a_textfile_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(SteadyError, match="No such file or directory"):
        told("f").write(tmp_path / "away" / "steady.prom")


@pytest.mark.parametrize("name", [".", "away/steady.prom"])
def test_where_no_file_can_be_put_is_said_before_anything_is_done(tmp_path: Path, name: str) -> None:
    with pytest.raises(SteadyError, match="metrics file"):
        must_be_writable(tmp_path / name)
    must_be_writable(tmp_path / "steady.prom")


def a_free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_endpoint_tells_what_was_put_last() -> None:
    exposition, port = told("f"), a_free_port()
    exposition.serve("127.0.0.1", port)
    exposition.put("g", samples("g"))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert read(answer.read()) == read(told("f", "g").text())


def test_a_port_that_is_taken_is_an_error_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SteadyError, match="Address already in use") as error:
            told("f").serve("127.0.0.1", taken.getsockname()[1])
    assert "--metrics-port" in error.value.fix
