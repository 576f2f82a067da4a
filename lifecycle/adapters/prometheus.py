"""Measurements for Prometheus: a textfile for node_exporter, and an HTTP endpoint to be scraped.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.model.errors import SteadyError
from lifecycle.model.metrics import Family, Measure, Sample
from lifecycle.system.files import write_whole

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry


class Exposition:
    """What every fleet's last look measured. Read by the endpoint's threads while it is put anew."""

    def __init__(self) -> None:
        self._fleets: dict[str, tuple[Sample, ...]] = {}

    def put(self, fleet: str, samples: Iterable[Sample]) -> None:
        """Takes the place of all that was measured of this fleet before."""
        self._fleets = {**self._fleets, fleet: tuple(samples)}

    def text(self) -> bytes:
        from prometheus_client import generate_latest

        return generate_latest(self._registry())

    def collect(self) -> Iterator[Metric]:
        """prometheus_client's way to ask: each family once, with the samples of all fleets."""
        families: dict[Family, list[Sample]] = defaultdict(list)
        for sample in (sample for fleet in self._fleets.values() for sample in fleet):
            families[sample.family].append(sample)
        for family, samples in families.items():
            yield _metric(family, samples)

    def write(self, path: Path) -> None:
        """The textfile, whole or not at all. Raises SteadyError when it cannot be written."""
        try:
            write_whole(path, self.text())
        except OSError as error:
            raise _unwritable(path, error.strerror or str(error)) from None

    def serve(self, host: str, port: int) -> None:
        """Answers on `http://host:port/metrics` from now on. Raises SteadyError when the port cannot be had."""
        from prometheus_client import start_http_server

        try:
            start_http_server(port, addr=host, registry=self._registry())
        except OSError as error:
            raise SteadyError(
                f"metrics cannot be served on {host}:{port}: {error.strerror or error}",
                fix="choose another --metrics-port, or end what listens there",
            ) from None

    def _registry(self) -> CollectorRegistry:
        from prometheus_client.registry import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry


def must_be_writable(path: Path) -> None:
    """Raises SteadyError when no file can be put there; asked before anything is done."""
    folder = path.absolute().parent
    if not folder.is_dir() or path.is_dir() or not os.access(folder, os.W_OK):
        raise _unwritable(path, "its directory is not there, or may not be written to")


def _metric(family: Family, samples: Iterable[Sample]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if family.measure is Measure.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.about, labels=family.labels)
    for sample in samples:
        metric.add_metric(sample.labels, sample.value)
    return metric


def _unwritable(path: Path, why: str) -> SteadyError:
    return SteadyError(
        f"the metrics file {path} cannot be written: {why}",
        fix="name another one with --metrics-file",
    )
