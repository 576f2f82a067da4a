"""Every rule asks for what is measured, says what to do, and fires when it should and not otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecycle.planning import series
from tests.alerts import rulecheck
from tests.tools.built import needed

ALERTS = Path(__file__).parents[2] / "specs" / "alerts"
FILE, PAGE = ALERTS / "steadyfleet.rules.yml", ALERTS / "README.md"
MEASURED = {family.name: set(family.labels) for family in series.FAMILIES}
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]
each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
HOW = "no evaluator of rules: `python -m tests.alerts.rulecheck` builds it (two minutes, needs Go)"


@pytest.fixture(scope="session")
def engine() -> None:
    """Prometheus's, or a skip that is told aloud."""
    program = rulecheck.cached()
    needed(program if program.exists() else None, HOW)


# ---- what a rule says ----------------------------------------------------------------------------


def selected(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics an expression names, each with the labels that it picks by."""
    for name, matchers in re.findall(r"(steady_\w+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


@each_rule
def test_a_rule_asks_for_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    asked = list(selected(rule["expr"]))
    assert asked
    assert all(labels <= MEASURED[name] for name, labels in asked)


@each_rule
def test_a_rule_groups_and_speaks_by_labels_that_its_metrics_have(rule: dict[str, Any]) -> None:
    of_all = set.intersection(*(MEASURED[name] for name, _ in selected(rule["expr"])))
    of_any = set.union(*(MEASURED[name] for name, _ in selected(rule["expr"])))
    by = [set(re.findall(r"\w+", labels)) for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])]
    spoken = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert all(labels <= of_any for labels in by)
    assert spoken <= (by[0] if by else of_all)


@each_rule
def test_a_rule_says_what_it_is_what_to_do_and_where_more_is_written(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert "{{ $labels.fleet }}" in said["summary"]
    assert re.search(r"`steady |budget\.total", said["description"])
    assert said["runbook_url"] == f"specs/alerts/README.md#{rule['alert'].lower()}"


def test_the_page_has_a_heading_for_every_alert_and_no_other() -> None:
    assert re.findall(r"^## (\w+)$", PAGE.read_text(), re.MULTILINE) == [rule["alert"] for rule in RULES]


# ---- when it fires -------------------------------------------------------------------------------

MINUTES = 300
POOL = 'fleet="f", pool="t"'
WELL = {
    'steady_read{fleet="f"}': "1x300",
    'steady_last_tick_timestamp_seconds{fleet="f"}': "0+60x300",
    'steady_converged{fleet="f"}': "1x300",
    'steady_tick_errors{fleet="f"}': "0x300",
    'steady_condition{fleet="f", type="CheckpointOnStop", status="Unknown", reason="NeverTried"}': "1x300",
    f'steady_runs{{{POOL}, state="failed"}}': "0x300",
    f'steady_attempts_ended_total{{{POOL}, cause="spot"}}': "0x100 2x200",
    f"steady_nodes_declared{{{POOL}}}": "4x300",
    'steady_refusals{fleet="f", guard="suspended", action="create"}': "1x300",
    f"steady_spent_dollars{{{POOL}}}": "0+0.01x300",
    f"steady_budget_dollars{{{POOL}}}": "10x300",
    f'steady_nodes{{{POOL}, market="spot", state="running"}}': "4x300",
    f'steady_run_step{{{POOL}, run="f.t.main.0"}}': "0+5x300",
}
"""Five hours of a fleet that trains: a save was never tried, two machines were taken, somebody has suspended it."""

SICK = {
    "SteadyReconcileNotRunning": {'steady_last_tick_timestamp_seconds{fleet="f"}': "0+60x280 16800x20"},
    "SteadyUnreadable": {'steady_read{fleet="f"}': "1x288 0x12"},
    "SteadyNotConverged": {'steady_converged{fleet="f"}': "1x265 0x35"},
    "SteadyTickErrors": {'steady_tick_errors{fleet="f"}': "0x280 1x20"},
    "SteadyUnknown": {
        'steady_condition{fleet="f", type="Healthy", status="Unknown", reason="AgentSilent"}': "_x280 1x20"
    },
    "SteadyCheckpointStale": {
        'steady_condition{fleet="f", type="CheckpointStale", status="True", reason="NoSaveCame"}': "_x298 1x2"
    },
    "SteadyRunFailed": {f'steady_runs{{{POOL}, state="failed"}}': "0x285 1x15"},
    "SteadySpotStorm": {f'steady_attempts_ended_total{{{POOL}, cause="spot"}}': "0x250 6x50"},
    "SteadyBreakerOpen": {'steady_refusals{fleet="f", guard="launches per hour", action="create"}': "_x298 1x2"},
    "SteadyContested": {
        'steady_condition{fleet="f", type="Contested", status="True", reason="Power"}': "_x298 1x2"
    },
    "SteadyRefusalsStanding": {
        'steady_refusals{fleet="f", guard="budget.per_hour", action="create"}': "_x265 1x35"
    },
    "SteadyBudgetNear": {f"steady_spent_dollars{{{POOL}}}": "0x290 8.5x10"},
    "SteadyBudgetSpent": {f"steady_spent_dollars{{{POOL}}}": "0x290 10.2x10"},
    "SteadySpendWithoutProgress": {f'steady_run_step{{{POOL}, run="f.t.main.0"}}': "7x300"},
}
"""What is otherwise when an alert is to fire: that, for a little longer than it waits, and nothing else."""


def fired(told: dict[str, str], minutes: int = MINUTES) -> list[str]:
    found = rulecheck.firing(FILE, [f"{name} {values}" for name, values in told.items()], minutes)
    return sorted(alert["labels"]["alertname"] for alert in found)


def test_a_fleet_that_is_well_alerts_nobody(engine: None) -> None:
    assert fired(WELL) == []


def test_every_alert_has_its_story() -> None:
    assert set(SICK) == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("alert", SICK)
def test_an_alert_fires_when_it_should_alone(engine: None, alert: str) -> None:
    assert fired({**WELL, **SICK[alert]}) == [alert]


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES if "for" in rule])
def test_an_alert_with_patience_waits(engine: None, alert: str) -> None:
    assert fired({**WELL, **SICK[alert]}, minutes=MINUTES - waits(alert)) == []


def waits(alert: str) -> int:
    """How many minutes before the end of its story an alert is still patient."""
    return {"SteadySpendWithoutProgress": 200}.get(alert, 8)


def test_an_alert_speaks_of_its_fleet(engine: None) -> None:
    told = {**WELL, **SICK["SteadyReconcileNotRunning"]}
    (alert,) = rulecheck.firing(FILE, [f"{name} {values}" for name, values in told.items()], MINUTES)
    assert alert["annotations"]["summary"] == "f: no tick for 20m 0s"
    assert alert["labels"] == {"alertname": "SteadyReconcileNotRunning", "fleet": "f", "severity": "critical"}


def test_two_controllers_that_tell_of_one_fleet_are_no_storm(engine: None) -> None:
    ended = {f'steady_attempts_ended_total{{{POOL}, cause="spot", instance="{n}"}}': "0x250 2x50" for n in "ab"}
    assert fired({**WELL, **ended}) == []


def test_rules_that_are_none_are_refused(engine: None, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(FILE.read_text().replace("time() -", "time( -"))
    with pytest.raises(AssertionError, match="parse error"):
        rulecheck.firing(broken, ["steady_read 1"], 1)
