"""The laws, a file a room of the theory: each simulates, predicts, and names the rivals that must fail."""
