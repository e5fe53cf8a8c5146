"""The laws of the systems around the centre, a file a room of the theory."""
