"""Edits that a model streams: read, found in the text, cut into hunks, and kept right while the user types."""
