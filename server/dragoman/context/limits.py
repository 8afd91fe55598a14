"""Every number of what a model gets to read, with its reason; those of the index's processes are in `dragoman.limits`."""

from __future__ import annotations

from typing import Final

# -- what changed, who calls, what others report ----------------------------------------------------------------------

GIT_EVERY_S: Final = 15.0
"""How often git is asked what has changed, while somebody types: in a large repository that is a tenth of a second's work."""

GIT_TIMEOUT_S: Final = 3.0
"""A git that takes longer is ended: its repository is on a slow disk, and the answer would be old."""

GIT_DIFF_BYTES: Final = 200_000
"""So much of a diff is read, some 4,000 lines: more is a merge or a formatter, not what the user is at."""

GIT_HUNKS: Final = 60
"""Places of a diff that are held against each other, in the order of the diff."""

GIT_HEAD_S: Final = 2.0
GIT_HEAD_BYTES: Final = 4_096
"""How often the branch's name is read, and from how much of its file; a name is 255 characters at most."""

RETRIEVAL_HUNK_LINES: Final = 12
"""Lines of a change that are shown: the beginning of a long one says what it is about."""

RETRIEVAL_CALLERS: Final = 3
RETRIEVAL_CALLER_FILES: Final = 8
"""Uses of the function at the cursor that are shown, and files that are read for them, some 50 microseconds each."""

RETRIEVAL_CALLER_BEFORE: Final = 3
RETRIEVAL_CALLER_AFTER: Final = 4
"""Lines around a call: what its arguments are made of, and what is done with its result."""

DIAGNOSTICS_KEPT: Final = 100
"""Diagnostics of one document that are remembered: a file with more is broken as a whole."""

DIAGNOSTICS_DOCUMENTS: Final = 50
"""Documents whose diagnostics are remembered, as many as their contexts."""

DIAGNOSTICS_NEAR: Final = 10
DIAGNOSTICS_SHOWN: Final = 5
"""Diagnostics this many lines around the cursor go into a question, at most so many: the others are about something else."""

DIAGNOSTICS_CHARS: Final = 300
"""So much of one message; type checkers print whole types."""

YANK_CHARS: Final = 4_000
"""So much of what the user has copied; a client may send a whole file."""

# -- the map and the conventions ---------------------------------------------------------------------------------------

MAP_TOKENS: Final = 1_024
CONVENTIONS_TOKENS: Final = 1_500
"""Tokens of the map and of the conventions where the asker does not say: a screenful each, of a chat's 4,000."""

MAP_LEAVES: Final = 400
"""Names that are looked up among those that most files import; the rest of a repository is reached from the focus."""

MAP_FILES: Final = 160
"""Files whose outlines are weighed against each other, some 0.2 ms each."""

MAP_POPULAR: Final = 60
"""How many of them are there because others import them, whatever the focus is."""

MAP_SIBLINGS: Final = 20
"""How many are there because they lie in a folder of the focus."""

MAP_MENTIONED: Final = 200
MAP_USED: Final = 400
"""Names whose definitions are looked up: of those mentioned, and of those that stand in the files in focus."""

MAP_DEFINITIONS: Final = 12
"""A name that is defined more often than this says nothing of where."""

MAP_SYMBOLS: Final = 4_000
"""Symbols held against each other, with 30 bytes of text each."""

MAP_USES: Final = 50
MAP_USES_ASKED: Final = 600
"""Uses of a name that are counted, and names whose uses are counted for one map, some 20 microseconds each."""

MAP_STALE_FACTOR: Final = 50
"""What most files import is counted anew no more often than this times what counting took: 10 s in 100,000 files."""

CONVENTION_CHARS: Final = 4_000
"""So much of one file of conventions: its beginning says what the project is and how it is worked on."""

OVERVIEW_S: Final = 30.0
"""How long a map may take: what most files import is counted first, and the disk may be cold."""

# -- retrieval ---------------------------------------------------------------------------------------------------------

RETRIEVAL_CACHED_FILES: Final = 200
"""Outlines kept between questions: those of the files around a cursor, some two kilobytes each."""

RETRIEVAL_CACHED_PIECES: Final = 100
"""Pieces of files kept between questions, some twenty kilobytes each."""

RETRIEVAL_CACHED_MEMBERS: Final = 100
"""Classes whose members are kept between questions, some kilobytes each."""

RETRIEVAL_CACHED_HOLDERS: Final = 1_000
"""Names whose pieces, or files, are remembered while the index is the same, a kilobyte each."""

RETRIEVAL_READ_BYTES: Final = 1_000_000
"""So much of a file is read for its lines; larger files are not in the index."""

RETRIEVAL_AROUND_LINES: Final = 24
"""Lines before the cursor (half as many behind it) whose names say what the place is about."""

RETRIEVAL_TYPED_LINES: Final = 80
"""Lines before the cursor that are searched for the types of names in scope: a long function."""

RETRIEVAL_TERMS: Final = 20
"""Names near the cursor that are looked up in the index, some 20 microseconds each."""

RETRIEVAL_AHEAD: Final = 400
"""Names of a file that are looked up while nobody asks: those of some thousand lines, in some ten milliseconds."""

RETRIEVAL_POSTINGS: Final = 100
"""Pieces read for one name: what keeps a question as quick in a hundred thousand files as in a hundred."""

RETRIEVAL_CHUNKS: Final = 8
"""Pieces of other files that are looked at more closely."""

RETRIEVAL_WINDOW_BEFORE: Final = 4
RETRIEVAL_WINDOW_AFTER: Final = 8
"""Lines of a piece shown around its most alike line."""

RETRIEVAL_ITEMS: Final = 1_500
"""Lines held against each other for one question."""

RETRIEVAL_IMPORTS: Final = 60
"""Imports of a file that are followed, those named near the cursor first."""

RETRIEVAL_MEMBERS: Final = 80
"""Names of one module that are looked at."""

RETRIEVAL_TYPES: Final = 8
"""Types of names in scope whose members are looked at, those named nearest to the cursor first."""

RETRIEVAL_NEIGHBOURS: Final = 5
"""Files of the same folder, or looked at lately, that are read."""

RETRIEVAL_UNREAD: Final = 100
"""So many files that imports lead to are read before the crawl gets to them: those of a dozen open documents.  They are kept in
memory until the crawl has ended (`INDEX_SHADOWS`), and saved files need room there too."""

RETRIEVAL_UNREAD_KNOWN: Final = 5_000
"""Imports whose files were looked for on disk, most of them of other packages; each takes dozens of looks, so it is done once."""

RETRIEVAL_HEADER_TOKENS: Final = 12
"""What the line with a file's path costs."""

RETRIEVAL_WINDOW_BONUS: Final = 0.3
"""A window shows how names are used together, which its names alone do not tell."""

CONTEXT_CHARS_PER_TOKEN: Final = 3.9
"""Signatures and lines of code have 4.4 characters a token on the average (o200k, the development packages of M1), few texts
less than this."""

CONTEXT_TOKENS_PER_EXTRA_BYTE: Final = 0.7
"""As `dragoman.models.tokenizers` has it: rare accented letters and ideographs have a token each."""

CONTEXT_WEIGHED_LINES: Final = 4_096
"""Lines of code whose tokens are remembered, a fifth of a kilobyte each."""

INSTALLED_FILES: Final = 150
"""Outlines of installed files kept in memory, some ten kilobytes each."""

INSTALLED_FILE_BYTES: Final = 300_000
"""A larger file of a package takes more than 50 ms to read, and is generated more often than not."""

INSTALLED_QUEUE: Final = 100
"""Installed files waiting to be read; a question of a file with many imports asks for some dozens."""

RETRIEVAL_NAMESAKES: Final = 100
"""Files of one name that a Python import is held against; with more of them each place where it may lie is looked up."""

RETRIEVAL_PLACES: Final = 120
"""Places where an import's file may lie: so many endings in so many folders upwards; asked for in one look-up."""

RETRIEVAL_SIGNATURE_WORTH: Final = 0.1
"""What the signature of an imported function is worth where its name stands right at the cursor: its parameters are next."""

RETRIEVAL_CALL_WORTH: Final = 2.0
"""What the head of the function is worth that is being called at the cursor: more than any two names."""

RETRIEVAL_FAINT: Final = 0.003
"""Names with less chance than this are not counted: hundreds of them say nothing together either."""

RETRIEVAL_RARE: Final = 6
"""With so many rare names near the cursor, the common ones are not asked."""

# -- the assembler -----------------------------------------------------------------------------------------------------

CONTEXT_WAIT_S: Final = 0.006
"""How long a key waits for the index: what it does not say by then is left to the next key."""

CONTEXT_WAIT_INVOKED_S: Final = 0.25
"""The same where the user asked by key and looks at the screen anyway."""

CONTEXT_ASK_S: Final = 5.0
"""After this long an answer of the index is for a place that the user has left."""

CONTEXT_FRESH_S: Final = 2.0
"""After this long on one line the index is asked again, behind the key: it may know more by now, and files change."""

CONTEXT_PLACES: Final = 50
"""Documents whose context is kept."""

CONTEXT_FOCUS: Final = 6
"""Files looked at lately that a question names."""

CONTEXT_CHARS_BEFORE: Final = 12_000
CONTEXT_CHARS_AFTER: Final = 3_000
"""Text around the cursor that retrieval reads; twice what a model reads, for what is defined a little further off."""

CONTEXT_OVERLAY_S: Final = 1.0
"""An unsaved document goes to its index this long after its first change: reading it takes some milliseconds there."""

CONTEXT_OVERLAY_CHARS: Final = 1_000_000
"""So much of a document; larger files are not in the index either."""

CONTEXT_EDITS: Final = 8
"""Edits remembered over all documents."""

CONTEXT_EDIT_LINES: Final = 12
"""Lines of one edit: a larger one is cut to its end."""

CONTEXT_EDIT_PAUSE_S: Final = 20.0
"""Keys at one place within this time are one edit."""

CONTEXT_TOKENS_SMALL: Final = 128
"""Context for a model on this machine's processor, where 100 tokens take up to a second: a dozen signatures."""

# -- conversations -----------------------------------------------------------------------------------------------------

ANSWER_TOKENS: Final = 1_024
ANSWER_TOKENS_LEAST: Final = 128
ANSWER_WINDOW_SHARE: Final = 3
"""Kept for an answer where nobody asks for a length: a page and a half, no more than a third of a small window, and a
paragraph even there."""

UNKNOWN_VOCABULARY: Final = 1.2
SMALL_VOCABULARY: Final = 1.5
"""A model's window is taken to be so many times smaller where its tokens are counted with another vocabulary: those of
50,000 tokens make some 15 % more of code than tiktoken's, those of 32,000 some 40 %."""

MESSAGE_TOKENS: Final = 8
"""What a chat template puts around a message: five tokens in ChatML and Llama 3, and two where the text's edges join it."""

TEMPLATE_TOKENS: Final = 40
"""What it puts around them all: the answer's head, and a preamble where no system prompt is given (Qwen's has 20 tokens,
the dates of Llama 3 have 30)."""

TOOL_ANSWER_TOKENS: Final = 16
TOOL_CALL_TOKENS: Final = 24
"""The marks around a tool's answer and around a call, which some vocabularies spell letter by letter."""

TOOL_TOKENS: Final = 24
TOOLS_TOKENS: Final = 180
"""The marks around a tool's description, and the paragraph that says how to call one (Qwen's has 100 tokens)."""

PICTURE_PATCH: Final = 28
PICTURE_TOKENS_LEAST: Final = 576
PICTURE_TOKENS_MOST: Final = 1_600
"""Tokens of a picture: one for each square of so many pixels, as Qwen-VL counts, no fewer than the encoders with a fixed
number take (LLaVA), no more than hosted models ask for a picture, which they scale down first."""

PICTURE_HEAD_BYTES: Final = 65_536
"""So far a JPEG's size is looked for, behind whatever its camera wrote."""

COUNTED_INLINE_CHARS: Final = 20_000
"""A longer text is counted in a thread: a megabyte takes up to 0.7 s, this much some ten milliseconds at the worst."""

OWN_TOKENIZER_S: Final = 2.0
"""How long a model server may take to count; then the count is made here."""

SUMMARY_TOKENS: Final = 256
SUMMARY_SHARE: Final = 8
"""Kept for the summary of what falls out: a paragraph, and no more than an eighth of a small budget."""

SUMMARY_CUTS: Final = 6
"""So often a summary that is too long is cut shorter before it is left out."""

SUMMARIES: Final = 64
"""Summaries remembered, a kilobyte each."""

HISTORY_AHEAD: Final = 16
"""Messages read beyond twice the window, so that the question of a running turn is usually among them."""

HISTORY_TURN: Final = 4_096
"""So far back a turn's question is looked for; no agent takes so many steps."""

HISTORY_BYTES: Final = 16 * 1024 * 1024
"""Messages of conversations kept in memory: some hundreds of them, or a few with pictures."""

HISTORY_SECONDS: Final = 30.0
"""How long they are believed: another process may have gone on with the conversation."""

HISTORY_DOUBTED: Final = 10_000
"""Conversations remembered whose cached messages may be wrong; with more of them the cache is not asked any more."""
