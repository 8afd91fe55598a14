"""What may leave this machine, and what a workspace may decide."""
