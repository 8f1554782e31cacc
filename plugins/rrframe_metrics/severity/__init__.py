"""How severe each of nine degradations is in one photograph: estimates without weights, from what it does to pixels."""
