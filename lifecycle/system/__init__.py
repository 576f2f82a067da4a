"""This operating system: processes, files that are whole or absent, and the clock. Imports `model` only."""
