"""The sources of context, one a file."""
