"""What a parser knows of a text: grammars by language, and syntax trees of the lines around a place.

Everything here is an offer: where a grammar is missing or not loaded yet, callers go on with what plain text tells.
"""
