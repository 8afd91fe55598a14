"""The index of a workspace: which files count, what is in them, and the process that keeps it."""
