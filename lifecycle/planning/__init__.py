"""Pure: values and `now` in, values out. No clock, no I/O, no chance; ruff and import-linter hold that.

For the controller: `settle` (what an observation means for the records), `planner` (what to do), with
`view` (one node's facts), `witness` (whose a machine is), `placement`, `capacity` (where the next machine
is made), `emptying` (the pass table), `attempts`, `receipts`, `drift`, `shared`, `labels`, `guards`, and
`explain` (the plan in words). For the agent: `wants` (which instruction counts) and
`drain` (the steps before a deadline). May import `model` and the types in `ports`.
"""
