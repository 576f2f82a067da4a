"""The names under which a fleet is measured. They are the outside: dashboards and alerts of users depend on them.

Every series carries its `fleet`, most their `pool`. Nodes are told as counts per pool. Only runs that train have
series of their own, two each: some 40,000 of a fleet of 20,000 nodes. What is not known is absent, not 0.
"""

from __future__ import annotations

from lifecycle.model.metrics import Family, Measure


def _family(measure: Measure, name: str, about: str, *labels: str) -> Family:
    return Family(name=f"steady_{name}", measure=measure, about=about, labels=("fleet", *labels))


def _gauge(name: str, about: str, *labels: str) -> Family:
    return _family(Measure.GAUGE, name, about, *labels)


def _counter(name: str, about: str, *labels: str) -> Family:
    return _family(Measure.COUNTER, f"{name}_total", about, *labels)


# ---- the loop ------------------------------------------------------------------------------------

READ = _gauge("read", "1 when the fleet's records could be read at the last look, else 0; then all else is absent.")
INFO = _gauge("fleet_info", "1 while a spec is applied: its provider and generation.", "provider", "generation")
LAST_TICK = _gauge("last_tick_timestamp_seconds", "When the last tick began, by any controller (Unix time).")
TICK_SECONDS = _gauge("tick_seconds", "How long the last tick took.")
TICK_ERRORS = _gauge("tick_errors", "What failed in the last tick.")
CONVERGED = _gauge("converged", "1 when nothing is to be done, under way, refused or wrong.")
ACTIONS = _gauge("actions", "Actions that the last tick planned, by kind.", "kind")
WAITING = _gauge("waiting", "What is waited for.")
REFUSALS = _gauge("refusals", "Actions that a guard holds back now.", "guard", "action")
HOLDS = _gauge("holds", "Holds in force, schedules among them.", "kind")
CONDITION = _gauge(
    "condition", "How many nodes (or pools, or the fleet) have this condition now.", "type", "status", "reason"
)

# ---- machines ------------------------------------------------------------------------------------

DECLARED = _gauge("nodes_declared", "Nodes that the spec of record declares.", "pool")
NODES = _gauge("nodes", "Nodes by market and state of their machines.", "pool", "market", "state")
LAUNCHES = _counter("launches", "Creation claims written: machines made, or tried.", "pool")
NOTICES = _counter("notices", "The provider's warnings to machines of runs.", "pool", "cause")

# ---- runs ----------------------------------------------------------------------------------------

RUNS = _gauge("runs", "Runs by state.", "pool", "state")
GOODPUT = _gauge(
    "goodput_ratio", "Training seconds of all wall seconds of the pool's runs, over their life.", "pool"
)
TRAINING = _gauge(
    "training_seconds", "Seconds trained; a gauge, for the end of an attempt is learned after it.", "pool"
)
WALL = _gauge("wall_seconds", "Seconds trained and lost together, since the first attempts.", "pool")
LOST_SECONDS = _counter(
    "lost_seconds", "Seconds in which a run did not train, booked when it trains again.", "pool", "cause"
)
LOST_STEPS = _counter(
    "lost_steps", "Steps done again, booked when the next attempt starts; at least so many.", "pool", "cause"
)
SPARED_STEPS = _counter("spared_steps", "Steps that would have been done again without the saves.", "pool")
ENDED = _counter("attempts_ended", "Attempts that trained and did not complete.", "pool", "cause")
RESTORES = _counter("restores", "Attempts that went on from a checkpoint.", "pool")
RESTORE_SECONDS = _counter(
    "restore_seconds", "From giving such an attempt out to its trainer's start, summed up.", "pool"
)

# ---- checkpoints ---------------------------------------------------------------------------------

AGE = _gauge(
    "checkpoint_age_seconds", "The oldest of the newest checkpoints of the pool's runs that train.", "pool"
)
RUN_AGE = _gauge(
    "run_checkpoint_age_seconds",
    "Age of the newest checkpoint of a run that trains, at most since its attempt's start.",
    "pool",
    "run",
)
RUN_STEP = _gauge("run_step", "The step that a run that trains told of last.", "pool", "run")
AGE_LIMIT = _gauge("checkpoint_age_limit_seconds", "The pool's `max_lost_work`.", "pool")

# ---- money ---------------------------------------------------------------------------------------

SPENT = _gauge(
    "spent_dollars",
    "Spent over the fleet's life, at least; a gauge, for a machine's end is learned after it.",
    "pool",
)
RATE = _gauge("cost_dollars_per_hour", "Dollars per hour while machines run as they do.", "pool")
PRICE_AGE = _gauge("price_age_seconds", "Age of the oldest price in that.", "pool")
BUDGET = _gauge("budget_dollars", "The pool's `budget.total`.", "pool")
RATE_LIMIT = _gauge("budget_dollars_per_hour", "The pool's `budget.per_hour`.", "pool")

FAMILIES = (
    READ,
    INFO,
    LAST_TICK,
    TICK_SECONDS,
    TICK_ERRORS,
    CONVERGED,
    ACTIONS,
    WAITING,
    REFUSALS,
    HOLDS,
    CONDITION,
    DECLARED,
    NODES,
    LAUNCHES,
    NOTICES,
    RUNS,
    GOODPUT,
    TRAINING,
    WALL,
    LOST_SECONDS,
    LOST_STEPS,
    SPARED_STEPS,
    ENDED,
    RESTORES,
    RESTORE_SECONDS,
    AGE,
    RUN_AGE,
    RUN_STEP,
    AGE_LIMIT,
    SPENT,
    RATE,
    PRICE_AGE,
    BUDGET,
    RATE_LIMIT,
)
