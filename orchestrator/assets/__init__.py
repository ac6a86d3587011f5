"""Fetch, verify, prepare and cache models and data sets. Knows no benchmark rules and no container engine."""
