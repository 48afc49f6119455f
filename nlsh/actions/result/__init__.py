"""Actions on results: a part of what was found before, in another order, counted or grouped."""
