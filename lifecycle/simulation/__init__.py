"""Production code in a simulated world: the controller, the operator and one agent per machine, in virtual time.

`world` is the whole; `host` is the inside of one machine, where the production agent runs; `run` is a rehearsal of
many hours, as `python -m lifecycle.simulation` does it. Everything follows from a seed.
"""
