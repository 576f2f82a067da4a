"""How the world answers. Each adapter implements ports; none imports another, none decides.

`local` is this computer as a cloud: machines that are process trees, SQLite, a directory of objects.
`pulumi` makes and ends machines through stacks.
`metadata` reads the instance metadata service (IMDSv2) of a machine, local or EC2.
"""
