"""Agents: who works on a task with a model and tools, under limits and with permission."""
