"""Check a submission tree: what the round's official checker enforces, and what it lets pass."""
