"""The loop: observe, settle, plan, execute, record; and the operator's orders.

`observe` reads every port once; `execute` is the only caller of mutating ports; `loop` is the tick and
the waiting; `operator` writes what people ask for (spec of record, holds, orders); `upkeep` prunes the
checkpoint store. May import `planning`, `tracker`, `ports`, `model`; never adapters or the agent.
"""
