"""A seeded cloud in memory, and virtual time: for simulations, rehearsals and the tests of the controller.

`timeline` is the clock and the only source of events; `cloud` is the truth about the machines, `provider` one
controller's way to it; `table` and `store` keep what the tracker and the checkpoints are made of; `trainer` is a
training script that advances with the time. `lifecycle.simulation` puts them together with the production code.
"""
