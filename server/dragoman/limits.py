"""Every number that shapes behaviour and is not a setting, each with its reason."""

from __future__ import annotations

from typing import Final

# -- completion: what the model reads ----------------------------------------------------------------------------------

PREFIX_CHARS_SMALL: Final = 1_400
"""Text before the cursor for a model on this machine's processor: some 400 tokens, at about 100 tokens/s and thread."""

SUFFIX_CHARS_SMALL: Final = 120
"""Text after the cursor there: it follows the prefix in the prompt, so every keystroke evaluates it again (10 ms a token)."""

PREFIX_CHARS: Final = 6_000
"""Text before the cursor for a model server: some 1,700 tokens, evaluated in well under a second on any GPU."""

SUFFIX_CHARS: Final = 1_500
"""Text after the cursor there."""

WINDOW_STEP_LINES: Final = 16
"""The prefix window begins at a multiple of this many lines: while it stays there the server reuses its KV cache."""

LONG_LINE_CHARS: Final = 20_000
"""No completion in a line longer than this: it is minified or data, and no model writes it."""

BINARY_PROBE_LINES: Final = 64
"""Lines around the cursor that are searched for NUL characters, the mark of a binary file."""

# -- completion: how long a suggestion may be --------------------------------------------------------------------------

BLOCK_LINES: Final = 12
"""A multi-line suggestion ends here: longer ones are not read, they are scrolled past."""

REPEATED_LINES: Final = 3
"""The same line this many times in a row means that the model loops."""

# -- completion: when --------------------------------------------------------------------------------------------------

LINGER_S: Final = 2.0
"""A generation whose request the editor cancelled goes on this long while the text still fits: the next key asks again."""

DEBOUNCE_MIN_S: Final = 0.03
DEBOUNCE_MAX_S: Final = 0.4
"""Bounds of the adaptive debounce; peers use 75 to 1,000 ms, and above 400 ms a pause feels like a fault."""

TYPING_GAP_S: Final = 0.6
"""After this much silence the next key is the start of a burst: it is asked about at once (leading edge)."""

SLOW_FIRST_TEXT_S: Final = 8.0
"""A model whose answers begin later than this is called slow: even a cold prompt on two cores is read by then."""

# -- completion: cache -------------------------------------------------------------------------------------------------

CACHE_ENTRIES: Final = 250
"""Generations remembered; each holds at most a few kilobytes."""

CACHE_SECONDS: Final = 300.0
"""After five minutes the rest of the project may have changed."""

TYPED_THROUGH_CHARS: Final = 200
"""How far behind the cursor a generation may have begun and still be the one the user is typing through."""

CACHE_PREFIX_CHARS: Final = 256
CACHE_SUFFIX_CHARS: Final = 80
"""What must be equal around the cursor for an answer to be the same question's."""

# -- models ------------------------------------------------------------------------------------------------------------

CATALOGUE_SECONDS: Final = 30.0
"""How long a list of models is believed before it is asked for again in the background."""

CATALOGUE_RETRY_SECONDS: Final = 5.0
"""The same after nothing usable was found: a server that is being started should be noticed soon."""
