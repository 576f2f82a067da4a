"""The nouns: spec, records, state tables, plan. Frozen values; standard library and msgspec only.

`fleet` is what is declared, `world` what is there, `records` what the tracker keeps, `states` the two state
tables, `plan` what a tick would do, `node` what an agent remembers. No clock, no I/O, no chance.
"""
