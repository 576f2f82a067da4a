"""What we need of the world, as Protocols in our own nouns. Types only; may import `model`.

Every method that changes something says what a repeat does. Reads that fail raise `Unreadable`:
never an empty answer.
"""
