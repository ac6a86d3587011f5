"""Where each file of a round's submission tree stands: one reader for check and import, one plan for packaging."""
