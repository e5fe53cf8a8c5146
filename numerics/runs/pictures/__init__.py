"""Pictures of runs: each function draws on the given or the current axes and returns them."""
