"""Frozen values and pure rules of the field. No I/O, no third-party import."""
