"""Reviews of real spec texts against a fleet that trains: the stories of `test_review`, and their golden files.

`python -m tests.unit.planning.reviewing` writes the golden files anew; read what it changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle.bootstrap.listed import list_prices
from lifecycle.model.proving import SaveProof
from lifecycle.model.records import SpecRecord
from lifecycle.model.world import Observed
from lifecycle.planning import assumed, planner
from lifecycle.planning.adoption import Consent, objections
from lifecycle.planning.attempts import fingerprint
from lifecycle.planning.markdown import document
from lifecycle.planning.review import Review, reviewed
from lifecycle.specfile import SpecFile, parse
from tests.builders import NOW, a_proof, a_receipt, a_record, but

GOLDEN = Path(__file__).parent / "reviews"
NAME = "specs/llm.yaml"
SPEC = """\
version: 1
fleet: llm-7b
provider: aws
region: us-east-1
pools:
  trainers:
    nodes: 4
    market: on_demand
    instance_types: [g5.2xlarge]
    zones: [us-east-1a]
    image: ami-0abc1234def567890
    train:
      command: [python, train.py]
      workdir: /opt/train
    checkpoint: {every: 10m, size: 12GiB}
"""


def read(text: str) -> SpecFile:
    return parse(NAME, text.encode(), Path())


def recorded(found: SpecFile) -> SpecRecord:
    spec = found.spec
    return a_record(spec, fleet=spec.fleet, digest=found.digest, source=NAME, text=found.text)


def trains(found: SpecFile, **changes: Any) -> Observed:
    """All that the spec declares trains, at step 130; saved last at step 100, four minutes ago."""
    prices = list_prices(found.spec, assumed.priced(found.spec))
    seen = assumed.world(recorded(found), prices, NOW)
    saved = a_receipt(100, at=NOW - 240)
    reports = {node: but(report, step=130, receipt=saved) for node, report in seen.reports.items()}
    return but(seen, reports=reports, **changes)


def proof(found: SpecFile, pool: str = "trainers") -> dict[str, SaveProof]:
    """It saved when it was asked to, two hours ago."""
    key = f"{found.spec.fleet}/{pool}"
    return {key: a_proof(pool=key, fingerprint=fingerprint(found.spec.pools[pool]), at=NOW - 7200)}


def review(before: str, after: str, consent: Consent | None = None, **changes: Any) -> Review:
    """Of `after`, where `before` is applied and trains; `changes` are of what is observed."""
    old, new = read(before), read(after)
    every = list_prices(new.spec, assumed.priced(old.spec, new.spec))
    observed = trains(old, prices=assumed.quotes(every, NOW), **changes)
    return reviewed(
        path=NAME,
        before=old.spec,
        after=new.spec,
        where=new.where,
        plan=planner.plan(new.spec, observed, NOW),
        observed=observed,
        now=NOW,
        objections=objections(recorded(new), observed, consent or Consent()),
        warnings=map(str, new.warnings),
        texts=(old.text, new.text),
    )


def edited(*edits: tuple[str, str]) -> str:
    text = SPEC
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


ON_SPOT = edited(("market: on_demand", "market: spot"))
HOSTILE = "```\\n</details><script>x</script>@everyone [a](http://b) | `c` <!-- d -->"

STORIES: dict[str, Callable[[], Review]] = {
    "replaced-for-its-type": lambda: review(
        SPEC, edited(("[g5.2xlarge]", "[g6.2xlarge]")), proofs=proof(read(SPEC))
    ),
    "scale-in": lambda: review(SPEC, edited(("nodes: 4", "nodes: 2")), proofs=proof(read(SPEC))),
    "emptied-pool": lambda: review(SPEC, edited(("nodes: 4", "nodes: 0"))),
    "to-spot-unproven": lambda: review(SPEC, ON_SPOT),
    "to-spot-proven": lambda: review(SPEC, ON_SPOT, proofs=proof(read(SPEC))),
    "permissions-widen": lambda: review(
        SPEC, SPEC + 'aws: {policies: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"], subnets: [subnet-0abc1234]}\n'
    ),
    "budget": lambda: review(SPEC, edited(("nodes: 4", "nodes: 6\n    budget: {per_hour: 5.0}"))),
    "hostile": lambda: review(SPEC, edited(("[python, train.py]", f'[python, "{HOSTILE}"]'))),
    "no-change": lambda: review(SPEC, SPEC),
}


def written(name: str) -> str:
    return document([STORIES[name]()]) + "\n"


def main() -> None:
    for name in STORIES:
        (GOLDEN / f"{name}.md").write_text(written(name))


if __name__ == "__main__":
    main()
