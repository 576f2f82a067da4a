"""Composition roots: they build adapters and hand them on, and hold no logic.

`controller` for the operator's commands on this computer, `cloud` for those on AWS; `controls` finds which of them
acts on a fleet. `node` for `steady-agent`.
"""
