"""Images: render recipes, build, pull, and make sure that one is there. Knows nothing of runs."""
