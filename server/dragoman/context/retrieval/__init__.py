"""Where context is taken from, one source a file, and how the sources share the budget."""
