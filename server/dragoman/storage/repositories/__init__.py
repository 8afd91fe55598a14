"""What is kept, one kind a file: frozen values in and out, and no statement elsewhere."""
