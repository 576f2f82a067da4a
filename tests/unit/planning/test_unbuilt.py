"""What a spec may say and this version does not do: named with its place, never ignored."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.planning.unbuilt import unbuilt
from tests.builders import a_spec, but


def test_what_is_built_is_not_complained_about() -> None:
    spec = a_spec(
        nodes=3,
        market="spot",
        fallback={"to": "on_demand", "after": "10m"},
        checkpoint={"max_lost_work": "5m"},
        budget={"per_hour": 9.0, "total": 90.0, "idle_stop": "1h", "retries": {"user_error": 2}},
        drift={"market": "replace"},
        hooks={"pre_stop": [{"run": ["true"]}]},
        unreachable_after="never",
    )
    assert unbuilt(spec) == ()


@pytest.mark.parametrize(
    ("pool", "path", "what"),
    [
        ({"train": {"profile": "torchrun"}}, ("train", "profile"), "profile 'torchrun' is"),
    ],
)
def test_what_a_pool_asks_for_in_vain_is_named_with_its_place(
    pool: dict[str, Any], path: tuple[str, ...], what: str
) -> None:
    assert unbuilt(a_spec(**pool)) == ((("pools", "t", *path), what),)


def test_every_pool_is_looked_at() -> None:
    pool = a_spec(train={"profile": "torchrun"}).pools["t"]
    paths = [path for path, _ in unbuilt(but(a_spec(), pools={"a": pool, "b": pool}))]
    assert paths == [("pools", "a", "train", "profile"), ("pools", "b", "train", "profile")]
