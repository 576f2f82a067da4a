"""Pulumi as the provisioner: the user's own CLI and backend, our program, one update for all that changes.

`provisioner` is the port's implementation, `outputs` what the foundation's stack tells. Below them: `workspace`
runs the CLI, `serving` hands it the program, `events` is what the engine said, `outcomes` what that means for a
node, `state` what the stack knows of machines, `locks` whose update stands in the way.
"""
