"""Composition roots: they build adapters and hand them on, and hold no logic.

`controller` for the operator's commands, `node` for `steady-agent`.
"""
