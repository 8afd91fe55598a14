"""Foreign tool servers (Model Context Protocol): started when a run first needs them, their tools among those of the agents."""
