"""What AWS is asked to hold: run by Pulumi as a folder, imported as the package `stacks`.

`names` says what things are called, `policies` and `operators` who may do what with them.
"""
