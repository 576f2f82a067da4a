"""AWS behind our ports. Start at `session`: the only maker of clients.

`table` keeps the tracker's rows in DynamoDB, `objects` the checkpoints in S3, `compute` sees EC2 instances and
switches them, `wake` listens to the notice queue. Making and ending instances is Pulumi's alone.
"""
