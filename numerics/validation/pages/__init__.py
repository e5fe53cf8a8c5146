"""Pages to read, to print and to hand on: one file that needs no network."""
