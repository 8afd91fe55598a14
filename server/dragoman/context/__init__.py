"""What the model gets to read: today the text around the cursor (`dragoman.completion.prompt`)."""
