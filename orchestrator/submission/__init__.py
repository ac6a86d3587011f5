"""Submission trees: checked, built, packed. Field work over plans, records and trees; starts no container."""
