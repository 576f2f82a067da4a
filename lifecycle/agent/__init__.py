"""On the node: keeps one trainer going, and its work safe, with or without a controller.

`service` is the agent: one `step` looks, decides (by `planning.wants`, `planning.drain` and
`planning.outcome`) and acts. Its hands are `supervisor` (the trainer's processes and files), `courier`
(checkpoints to and from the store), `watch` (notices) and `programs` (hooks, one at a time by `hooks`, at the
points in `occasions`); `reporting` tells the tracker. May import
`planning`, `tracker`, `ports`, `system` and `model`; never adapters, the spec or the controller.
"""
