"""Kinds and names of rows: where each record lives in the table, and who writes it.

| kind        | name                          | written by |
|-------------|-------------------------------|------------|
| spec        | fleet                         | controller |
| placement   | node                          | controller |
| incarnation | node#number                   | controller, created once: the creation claim |
| drain       | node                          | controller, or the guard of `pulumi up` |
| order       | node                          | controller |
| report      | node                          | the node's agent |
| receipt     | run/epoch/step/digest         | the node's agent, created once |
| run         | run                           | controller |
| attempt     | run/number                    | controller, created once: the epoch is given out |
| rejection   | digest                        | controller |
| hold        | id                            | operator's verbs |
| allowance   | instance                      | operator's verbs |
| shortage    | market/type/zone              | controller |
| proof       | fleet/pool                    | controller |
| ledger      | pool                          | controller: what its machines of the past have cost |
| quotes      | fleet                         | controller: what was last heard of prices |
| correction  | node/field                    | controller |
| stack       | fleet                         | Pulumi: the fleet's stake; where it is, some backend keeps a stack |
| lease       | fleet                         | whoever ticks |
| tick        | fleet                         | controller |
| told        | fleet                         | controllers, conditionally: what people were told of |
| update      | host/pid                      | whoever updates the fleet's stack |
"""

from __future__ import annotations

SPEC = "spec"
PLACEMENT = "placement"
INCARNATION = "incarnation"
DRAIN = "drain"
ORDER = "order"
REPORT = "report"
RECEIPT = "receipt"
RUN = "run"
ATTEMPT = "attempt"
REJECTION = "rejection"
HOLD = "hold"
ALLOWANCE = "allowance"
SHORTAGE = "shortage"
PROOF = "proof"
LEDGER = "ledger"
QUOTES = "quotes"
CORRECTION = "correction"
LEASE = "lease"
TICK = "tick"
TOLD = "told"
UPDATE = "update"
STACK = "stack"


def incarnation_name(node: str, number: int) -> str:
    return f"{node}#{number:06d}"


def shortage_name(market: str, instance_type: str, zone: str) -> str:
    return f"{market}/{instance_type}/{zone}"


def correction_name(node: str, field: str) -> str:
    return f"{node}/{field}"


def attempt_name(run: str, number: int) -> str:
    return f"{run}/{number:06d}"


def update_name(host: str, pid: int) -> str:
    return f"{host}/{pid}"


def receipt_name(run: str, epoch: int, step: int, digest: str) -> str:
    """Sorts by (epoch, step) within the run."""
    return f"{run}/{epoch:06d}/{step:012d}/{digest[:16]}"
