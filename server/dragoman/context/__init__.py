"""What a model gets to read beyond the text around the cursor: an index of the workspace, sources, and their fusion."""
