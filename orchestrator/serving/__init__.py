"""A small streaming server for language models, with the completions interface that larger servers offer, too.

Runs inside a container; imports nothing else of this project. See orchestrator/serving/README.md.
"""
