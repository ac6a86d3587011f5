"""The project's own LoadGen harness: runs inside a container (or natively), imports nothing of the rest.

`python -m orchestrator.sut HARNESS_JSON`; file formats in README.md beside this file.
"""
