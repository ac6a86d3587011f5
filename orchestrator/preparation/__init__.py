"""Prepare models and data sets inside a container: one module per step. Imports nothing of the orchestrator."""
