"""Every number of the optional vectors, with its reason."""

from __future__ import annotations

from typing import Final

VECTOR_TEXT_CHARS: Final = 1_500
"""So much of a piece, and of the text at the cursor, is embedded: many embedding models read 512 tokens and refuse more."""

VECTOR_PIECE_CHARS: Final = 40
"""A shorter piece (an import, a brace) is like everything and tells nothing."""

VECTOR_PIECES: Final = 25_000
"""Pieces with a vector in one workspace: some 25 MB at 768 numbers each, and a look-up of a few ms, which a question may wait
behind once where the cursor has gone. The index's order has the files first that are near the ones that were opened."""

VECTOR_FILE_PIECES: Final = 200
"""Pieces of one file: a longer file is data more often than code."""

VECTOR_DIMENSIONS: Final = 8_192
"""Numbers in a vector: more than any model known gives, and all that sqlite-vec takes."""

VECTOR_CANDIDATES: Final = 100
"""Pieces whose signs are most alike, of which the nearest are then told by their numbers."""

VECTOR_NEAREST: Final = 24
"""Pieces that a look-up returns: as many as are looked at by their names."""

VECTOR_SWEEP_S: Final = 0.005
"""Looking for pieces without a vector takes the index's process so long at a time: a question may wait behind it."""

VECTOR_SWEEP_FILES: Final = 200
"""Files asked of the index in one go meanwhile: half a millisecond."""

VECTOR_IDLE_S: Final = 2.0
"""The workspace is embedded while the user has done nothing for so long: the model may be on the same processor."""

VECTOR_BATCH: Final = 8
"""Pieces embedded together, some 3,000 tokens: what is cut off when the user begins to type is soon done again."""

VECTOR_SWEEP_PAUSE_S: Final = 0.05
"""The pause between two such looks where the first found nothing yet."""

VECTOR_REST_S: Final = 5.0
"""How often the index is asked for new pieces when all have their vectors."""

VECTOR_BACKOFF_S: Final = 5.0
VECTOR_BACKOFF_MAX_S: Final = 300.0
"""After a failure the next try waits so long, each time twice as long, up to the latter."""

VECTOR_QUESTION_LINES: Final = 20
"""Lines before the cursor whose meaning is looked for, and how far from them what was found still counts."""

VECTOR_STEP_LINES: Final = 5
"""A cursor that has moved no further asks nothing new."""

VECTOR_RANK_K: Final = 60
"""The constant of reciprocal rank fusion, as its authors chose it: the first few ranks count nearly alike."""

VECTOR_LONE_SCORE: Final = 0.2
"""What the first piece counts where only its meaning is alike and no names are: that of a middling piece found by names."""
