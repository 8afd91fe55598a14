"""Seen from everywhere, sees nothing: logs, and reports of what cannot happen."""
