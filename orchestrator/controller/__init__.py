"""The order of things: preflight, plan, run, judge, seal; and the composition root (connect.py)."""
