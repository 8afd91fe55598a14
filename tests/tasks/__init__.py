"""Small edits of small repositories, each with a hidden test: what an agent can do, through its real front."""
