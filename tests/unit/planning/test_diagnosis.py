"""What facts about this computer and an account mean: ok, wrong with a fix, or unknown."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.diagnosis import Caller, Finding, Quota, Shape, Verdict
from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.foundation import Foundation
from lifecycle.planning import diagnosis
from tests.builders import NOW, a_spec, but

GPU, CPU, ARM = "g5.2xlarge", "m5.large", "m7g.large"
SHAPES = {
    GPU: Shape(architectures=("x86_64",), vcpus=8),
    CPU: Shape(architectures=("i386", "x86_64"), vcpus=2),
    ARM: Shape(architectures=("arm64",), vcpus=2),
}
G_SPOT, G_RUNNING = "All G and VT Spot Instance Requests", "Running On-Demand G and VT instances"
STANDARD = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
ME = Caller(arn="arn:aws:iam::123456789012:user/ada", account="123456789012")
GROUND = Foundation(
    owner="o",
    account="123456789012",
    region="us-east-1",
    bucket="b",
    table="t",
    queue="q",
    queue_url="u",
    boundary="p",
)


def wanting(*types: str, nodes: int = 2, **pool: Any) -> FleetSpec:
    return a_spec(nodes=nodes, instance_types=list(types), image="ami-1", **pool)


def is_wrong(found: Finding) -> str:
    """What is wrong, once it says how to mend it."""
    assert found.verdict is Verdict.WRONG
    assert found.fix
    return found.message


def test_a_python_that_is_too_old_is_wrong() -> None:
    assert diagnosis.python((3, 11, 0)).verdict is Verdict.OK
    assert is_wrong(diagnosis.python((3, 10, 9))) == "3.10.9 is too old"


def test_a_clock_that_stands_before_the_release_or_goes_backwards_is_wrong() -> None:
    assert diagnosis.clock(NOW, 1.0, 1.0).verdict is Verdict.OK
    assert is_wrong(diagnosis.clock(0.0, 1.0, 2.0)) == "it says 1970-01-01 00:00 UTC"
    assert "backwards" in is_wrong(diagnosis.clock(NOW, 2.0, 1.0))


def test_checkpoints_of_a_local_fleet_need_room_and_those_on_aws_do_not() -> None:
    spec = a_spec(nodes=2, checkpoint={"size": "1GiB", "keep": 3})
    assert diagnosis.taken(spec) - diagnosis.taken(None) == 8 * 2**30
    assert is_wrong(diagnosis.space(2**30, diagnosis.taken(spec))) == "1.0GiB free; this takes about 9.0GiB"


@pytest.mark.parametrize(("left", "verdict"), [(3600.0, "ok"), (60.0, "wrong"), (-1.0, "wrong")])
def test_credentials_that_end_soon_are_wrong(left: float, verdict: str) -> None:
    caller = Caller(arn=ME.arn, account=ME.account, expires=NOW + left)
    assert diagnosis.credentials(caller, NOW).verdict == verdict


def test_a_clock_a_minute_from_awss_is_wrong_on_either_side() -> None:
    assert diagnosis.skew(NOW, NOW + 59).verdict is Verdict.OK
    assert "61s behind" in is_wrong(diagnosis.skew(NOW, NOW + 61))
    assert "61s ahead" in is_wrong(diagnosis.skew(NOW + 61, NOW))


def test_account_and_region_have_to_be_the_foundations() -> None:
    assert diagnosis.home(ME, "us-east-1", GROUND).verdict is Verdict.OK
    assert "in us-east-1, not in eu-west-1" in is_wrong(diagnosis.home(ME, "eu-west-1", GROUND))
    other = Caller(arn=ME.arn, account="999999999999")
    assert "of account 999999999999" in is_wrong(diagnosis.home(other, "us-east-1", GROUND))


def test_an_image_that_a_type_cannot_run_is_wrong() -> None:
    assert diagnosis.architectures(wanting(GPU, CPU), {"ami-1": "x86_64"}, SHAPES).verdict is Verdict.OK
    found = diagnosis.architectures(wanting(GPU, ARM), {"ami-1": "x86_64"}, SHAPES)
    assert is_wrong(found) == f"t: ami-1 is x86_64, and {ARM} runs arm64"


def test_an_image_that_cannot_be_seen_tells_nothing_about_its_architecture() -> None:
    assert diagnosis.architectures(wanting(GPU), {}, SHAPES).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("limit", "verdict"), [(16.0, "ok"), (15.0, "wrong")])
def test_a_limit_is_compared_with_all_nodes_on_the_first_type(limit: float, verdict: str) -> None:
    found = diagnosis.quotas(wanting(GPU, CPU), SHAPES, [Quota(name=G_SPOT, vcpus=limit)])
    assert (found.verdict, found.message) == (verdict, f"{G_SPOT}: {limit:g} vCPUs, wanted 16")


def test_the_market_that_a_pool_falls_back_to_has_its_own_limit() -> None:
    spec = wanting(GPU, fallback={"to": "on_demand", "after": "10m"})
    limits = [Quota(name=G_SPOT, vcpus=64), Quota(name=G_RUNNING, vcpus=0)]
    assert is_wrong(diagnosis.quotas(spec, SHAPES, limits)) == f"{G_RUNNING}: 0 vCPUs, wanted 16"


def test_a_limit_that_is_not_told_is_unknown() -> None:
    found = diagnosis.quotas(wanting(GPU), SHAPES, [Quota(name=G_RUNNING, vcpus=64)])
    assert (found.verdict, found.message) == (Verdict.UNKNOWN, "no limit is told for g5 spot")


@pytest.mark.parametrize(
    ("quota", "market", "kind", "counts"),
    [
        (G_SPOT, Market.SPOT, "g6e", True),
        (G_SPOT, Market.SPOT, "vt1", True),
        (G_SPOT, Market.ON_DEMAND, "g5", False),
        (STANDARD, Market.ON_DEMAND, "m7g", True),
        (STANDARD, Market.ON_DEMAND, "g5", False),
        ("All P4, P3 and P2 Spot Instance Requests", Market.SPOT, "p4d", True),
        ("All P4, P3 and P2 Spot Instance Requests", Market.SPOT, "p5", False),
        ("All P5 Spot Instance Requests", Market.SPOT, "p5en", True),
        ("Running On-Demand P instances", Market.ON_DEMAND, "p5", True),
        ("All Trn Spot Instance Requests", Market.SPOT, "trn1", True),
        ("Running Dedicated g5 Hosts", Market.ON_DEMAND, "g5", False),
    ],
)
def test_which_machines_a_limit_counts(quota: str, market: Market, kind: str, counts: bool) -> None:
    assert diagnosis.covers(quota, market, kind) is counts


def test_pools_that_share_a_limit_are_added_up() -> None:
    spec = wanting(GPU)
    both = but(spec, pools={"a": spec.pools["t"], "b": but(spec.pools["t"], instance_types=("g6.2xlarge",))})
    shapes = {**SHAPES, "g6.2xlarge": SHAPES[GPU]}
    found = diagnosis.quotas(both, shapes, [Quota(name=G_SPOT, vcpus=31)])
    assert is_wrong(found) == f"{G_SPOT}: 31 vCPUs, wanted 32"
