"""Figures, measured on this machine and printed beside their goals. Not part of the tests: no timing fails them."""
