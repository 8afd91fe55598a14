"""Measurements: each module is a command, needs no network after its first run, and prints JSON lines and a table."""
