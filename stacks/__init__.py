"""What AWS is asked to hold: run by Pulumi as a folder, imported as the package `stacks`.

`program` picks the stack: `foundation` (with `storage` and `signals`) is what every fleet stands on, `fleet` (with
`identity`, `network`, `machines` and the guard's `hooks`) is one fleet, on the `ground` that its foundation tells.
`userdata` makes a machine of a bare image by sending it `boot`, which installs the `bundle` of this checkout.
`names` says what things are called, `policies` and `operators` who may do what with them.
"""
