"""The operator's verbs: parse, call, print, exit code. Nothing is decided here.

`entry` is the program; each other module holds the verbs of one kind. Heavy imports (YAML, jsonschema,
rich, the controller) are made inside the verbs, so that `steady --help` answers at once.
"""
