"""Steadyfleet: keep a declared training fleet running, cheap on spot, without losing work.

The map, in the order to read it:

    model       the nouns: spec, records, state tables, plan; frozen values, no I/O
    specfile    YAML text -> FleetSpec, every fault with file:line:col
    ports       what we need of the world, as Protocols
    planning    pure: what differs, what to do, what is refused; the agent's steps before a deadline
    tracker     the records of the model over any table (SQLite, DynamoDB, memory)
    control     the loop: observe, plan, execute (the only caller of mutating ports)
    agent       on the node: asks the trainer, proves saves, ships, restores
    adapters    how the world answers: local machines, metadata service, ...
    bootstrap   puts adapters, control and agent together
    cli         the operator's verbs

`lifecycle.trainer` is for training scripts and imports nothing of the above. More: `README.md` here.
"""

__version__ = "0.1.0"
