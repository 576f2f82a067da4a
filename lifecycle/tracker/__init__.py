"""The records of the model over any table: SQLite here, DynamoDB on AWS, memory in simulations.

`controller` is what the loop and the operator's verbs use, `node` the little that an agent may do,
`lease` the right to write. Row names are in `rows`. Imports `model` and `ports`.
"""
