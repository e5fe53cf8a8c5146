"""Many small runs at once, eight in the lanes of one vector."""
