"""Talking to language models: providers, what they can do, and which one answers."""
