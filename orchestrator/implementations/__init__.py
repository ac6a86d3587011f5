"""How each implementation's harness is driven: pure functions from what was decided to the steps that do it."""
