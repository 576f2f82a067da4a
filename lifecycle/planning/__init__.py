"""Pure: values and `now` in, values out. No clock, no I/O, no chance; ruff and import-linter hold that.

For the controller: `settle` (what an observation means for the records), `planner` (what to do), with
`view` (one node's facts), `placement`, `emptying` (the pass table), `attempts`, `receipts`, `drift`,
`guards`, and `explain` (the plan in words). For the agent: `wants` (which instruction counts) and
`drain` (the steps before a deadline). May import `model` and the types in `ports`.
"""
