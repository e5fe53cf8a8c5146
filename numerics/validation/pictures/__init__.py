"""Pictures of the theory, of what was measured, and of both at once."""
