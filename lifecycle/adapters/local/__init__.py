"""This computer as a cloud. Start at `layout` (what lies where in the state directory).

`provider` makes, lists and ends machines; `machine` is the process that a machine is, with `imds` as its
metadata service; `console` is the spot market in your hand (`steady local ...`). `launcher` is the agent's
way to start an attempt. `table`, `objects` and `wake` are the tracker's rows, the "S3", and the doorbell.
"""
