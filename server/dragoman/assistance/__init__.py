"""Agents for one editor: its buffers, its questions, previews of edits, findings of reviews, answers in documents."""
