"""What AWS is asked to hold: run by Pulumi as a folder, imported as the package `stacks`.

`program` picks the stack: `foundation` (with `storage` and `signals`) is what every fleet stands on, `fleet` (with
`identity`, `network`, `machines`, the guard's `hooks` and the `stake`) is one fleet, on the `ground` that its
foundation tells; the controller's own updates run the same. `userdata` makes a machine of a bare image by sending
it `boot`, which runs the `install` that is in the `bundle` of this checkout. `scheduled` is the unattended tick, a
part of the foundation where its config asks for it. `names` says what things are called, `policies`, `operators`
and `runners` who may do what with them.
"""
