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

LINE_TOKENS: Final = 64
"""The most tokens that a suggestion of one line may take; longer lines are not read either."""

RETRY_TEMPERATURE: Final = 0.5
"""For the second try where the most likely answer was of no use: high enough for another one, low enough for sense."""

REPEATED_LINES: Final = 3
"""The same line this many times in a row means that the model loops."""

# -- completion: when --------------------------------------------------------------------------------------------------

LINGER_S: Final = 2.0
"""A generation whose request the editor cancelled goes on this long while the text still fits: the next key asks again."""

DEBOUNCE_MIN_S: Final = 0.03
DEBOUNCE_MAX_S: Final = 0.4
"""Bounds of the adaptive debounce; peers use 75 to 1,000 ms, and above 400 ms a pause feels like a fault."""

CONTRADICTED_S: Final = 0.45
"""After a key against what is on screen: a typing error is noticed and taken back within some 350 ms, and then the
suggestion is back without a call (22 % of all calls followed a typing error without this, `make bench-calls`)."""

RHYTHM_FAST: Final = 0.8
RHYTHM_SLOW: Final = 1.3
SLOW_ANSWER_S: Final = 0.75
"""The wait is between so many of the user's key intervals, by how long the model takes to its first text: at 0.8 a model of
250 ms has the right text on screen at more keys than any fixed wait does with as many calls (`make bench-calls`)."""

WASTED_FACTOR: Final = 1.2
WASTED_MOST: Final = 2
"""Each call in a row that was given up unseen makes the next one wait so much longer, up to so many times."""

TYPING_GAP_S: Final = 0.6
"""After this much silence the next key is the start of a burst: it is asked about at once (leading edge)."""

SLOW_FIRST_TEXT_S: Final = 8.0
"""A model whose answers begin later than this is called slow: even a cold prompt on two cores is read by then."""

USUAL_ACCEPTANCE: Final = 0.25
"""The share of suggestions that is taken where nothing is known yet; published figures lie between 0.2 and 0.35."""

GENERATIONS_AT_ONCE: Final = 2
"""Streams to one provider at a time, however much it could take: a third is for a place that the user has left."""

CONVINCING_CHARS: Final = 3
"""Who has typed so much of a silenced suggestion is shown the rest of it: it is right so far."""

# -- completion: cache -------------------------------------------------------------------------------------------------

CACHE_ENTRIES: Final = 250
"""Generations remembered; each holds at most a few kilobytes."""

CACHE_SECONDS: Final = 300.0
"""After five minutes the rest of the project may have changed."""

TYPED_THROUGH_CHARS: Final = 800
"""A whole block: how far behind the cursor a generation may have begun and still be the one the user is typing through."""

VICINITY_SLACK_LINES: Final = 60
"""So many lines may have been added among those that the model read, or a line moved so far, and its answer still counts."""

ANCHOR_CHARS: Final = 8
"""Less text than this before a cursor, at a document's beginning, says too little to be looked for elsewhere."""

NEAR_LINES: Final = 250
"""How far a line that begins alike is looked for, up and down, before a line counts as moved."""

GROUP_SEARCHED: Final = 64
"""Newest answers that are held against the text at a key, of those that are followed by the same: at the end of a file that
is all of them, and each takes two microseconds."""

CACHE_PREFIX_CHARS: Final = 256
CACHE_SUFFIX_CHARS: Final = 80
"""What must be equal around the cursor for an answer to be the same question's."""

# -- completion: what became of a suggestion ---------------------------------------------------------------------------

SURVIVAL_S: Final = 30.0
"""So long after an acceptance its text is looked for: what was taken by mistake is gone by then."""

VERDICT_GRACE_S: Final = 2.0
"""A suggestion that looks rejected is not counted yet: an editor's own word, or a backspace, may come right behind."""

WATCHED_ACCEPTANCES: Final = 64
"""Acceptances whose survival is watched at once; nobody takes more in half a minute."""

ACCEPTANCE_PRIOR: Final = 0.25
ACCEPTANCE_PRIOR_WEIGHT: Final = 10.0
"""What is believed of the acceptance rate before anything was seen, and how many suggestions that belief is worth."""

ACCEPTANCE_HALF_LIFE: Final = 50.0
"""After this many more suggestions an old one counts half: a rate should follow a change of model within an hour."""

# -- usage counts ------------------------------------------------------------------------------------------------------

USAGE_DAYS: Final = 90
"""Days of counts kept on disk."""

USAGE_ROWS_PER_DAY: Final = 200
"""Languages times models in a day; what comes beyond is counted together, so that the file stays small."""

USAGE_WRITE_S: Final = 30.0
"""Counts are written this often at most: a crash loses half a minute of them."""

USAGE_LOCK_S: Final = 2.0
"""How long a write waits for another server's; then the counts stay in memory until the next one."""

# -- models ------------------------------------------------------------------------------------------------------------

CATALOGUE_SECONDS: Final = 30.0
"""How long a list of models is believed before it is asked for again in the background."""

CATALOGUE_RETRY_SECONDS: Final = 5.0
"""The same after nothing usable was found: a server that is being started should be noticed soon."""

CATALOGUE_GONE_SECONDS: Final = 2.0
"""How long a provider that had models is believed to be gone: it alone is asked again, while others answer for it."""

# -- completion: next edit ---------------------------------------------------------------------------------------------

NEXT_EDIT_EDITS: Final = 8
"""Edits remembered over all documents: a series of changes is recognised from its last two."""

NEXT_EDIT_DOCUMENTS: Final = 200
"""Documents that are followed; beyond that the one opened first is forgotten (a frozen text shares its lines, so each is cheap)."""

NEXT_EDIT_PAUSE_S: Final = 4.0
"""After this much silence a change in the same lines is an edit of its own."""

NEXT_EDIT_REGION_LINES: Final = 40
"""An edit of more lines is a paste, a formatter or another branch: no change of the user's to be repeated."""

NEXT_EDIT_LINES: Final = 50_000
NEXT_EDIT_CHARS: Final = 2_000_000
"""Larger documents are not searched: reading them takes longer than the time between two keys."""

NEXT_EDIT_PLACES: Final = 200
"""Places offered of one change; more are found again once these are done."""

NEXT_EDIT_SEARCHED_DOCUMENTS: Final = 20
"""Open documents searched for one change, the one that was changed first."""

# -- syntax ------------------------------------------------------------------------------------------------------------

PARSE_BUDGET_S: Final = 0.01
"""A parse that takes longer is given up: 300 lines of code take a millisecond, only text that is no code takes ten."""

JUDGED_S: Final = 0.01
"""A suggestion whose parses take longer altogether is shown unjudged: waiting would be worse than an error."""

PARSED_WHOLE_LINES: Final = 600
"""Documents up to this length are parsed whole, some two milliseconds once, then a tenth of that at each key."""

PARSED_LINES_BEFORE: Final = 200
PARSED_LINES_AFTER: Final = 100
"""Lines around the cursor that are parsed of a larger document, besides the lines that open and close what is around them."""

PARSED_CHARS: Final = 32_000
"""Windows with more characters are not parsed: their lines are too long for code."""

BLOCK_LINES_TO_CLOSE: Final = 8
"""So many lines beyond `BLOCK_LINES` a suggestion may take to close the brackets it opened."""

# -- context: the index ------------------------------------------------------------------------------------------------

INDEX_BUSY_S: Final = 2.0
"""How long a write to the index waits for another process's; a batch takes some 25 ms."""

INDEX_CACHE_KIB: Final = 8_192
"""Pages of the index kept in memory: the upper levels of its trees and what was asked last."""

INDEX_SEGMENTS: Final = 200
"""Pieces that the table of words may be in before a write puts them together itself, which takes a tenth of a second; between
questions that is done a little at a time, long before there are so many."""

INDEX_DEAD_CHUNKS: Final = 5_000
INDEX_DEAD_SHARE: Final = 1.0
"""So many replaced chunks, and so many to one that is alive, make the index worth reading anew."""

# -- context: outlines of files ----------------------------------------------------------------------------------------

OUTLINE_PARSE_S: Final = 1.0
"""A file of the index that takes longer to parse gets no symbols: a megabyte of code takes half of it."""

OUTLINE_DEPTH: Final = 4_000
"""A syntax tree that is nested deeper is not searched, for it takes seconds: an expression of so many terms is data."""

OUTLINE_BROKEN_BYTES: Final = 200_000
"""A larger file that does not parse is not searched either: it is mostly no code, and errors take a query's time most."""

OUTLINE_SYMBOLS: Final = 2_000
"""Symbols kept of one file: only generated code has more, and nobody types against the rest of it."""

OUTLINE_IMPORTS: Final = 400
"""Imports kept of one file, for the same reason."""

OUTLINE_NAME_CHARS: Final = 120
"""A longer name is text that was taken for one."""

OUTLINE_SIGNATURE_CHARS: Final = 300
"""The longest signature: ten parameters with types; what is longer would cost a model more than it tells."""

OUTLINE_DEFAULT_CHARS: Final = 40
"""A default value that is longer is left out of a long signature: that there is one is what matters."""

OUTLINE_DOC_CHARS: Final = 120
"""The longest first line of documentation: a line of code's usual limit."""

OUTLINE_KEYS: Final = 200
"""Keys kept of a data file (JSON, YAML, TOML): a configuration has fewer, a record set has no names worth finding."""

CHUNK_MIN_LINES: Final = 8
CHUNK_MAX_LINES: Final = 40
"""Lines of a chunk: fewer say too little to be found by, and more take half of what a model may read."""

MINIFIED_LINE_CHARS: Final = 5_000
MINIFIED_MEAN_CHARS: Final = 400
"""A text with such a line and such a mean is minified or data: it is not parsed, and has no symbols worth a name."""

# -- context: the index's processes ------------------------------------------------------------------------------------

INDEX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""Longest message between server and index; the largest are texts of open documents."""

INDEX_RESTARTS: Final = 4
INDEX_RESTART_WINDOW_S: Final = 60.0
"""So many times a minute a crashed index is started again; then there is something that crashes it at once."""

INDEX_BACKOFF_S: Final = 0.25
"""The wait before the second start, doubled with each further one."""

INDEX_CLOSE_S: Final = 1.0
"""How long the index may take to end by itself before it is killed: it has a file to close, no more."""

INDEX_CONGESTION_BYTES: Final = 1024 * 1024
"""With this much unread by the index, notifications are kept and merged instead of written."""

INDEX_CHANGES: Final = 5_000
"""More changed files than this are not named one by one: the workspace is crawled anew."""

INDEX_CHANGES_INLINE: Final = 4
"""So many changed files are read before the next question; each takes some milliseconds."""

INDEX_CHANGES_QUEUED: Final = 200
"""More changed files than this are left to the crawler, as after a change of branch."""

INDEX_INLINE_BYTES: Final = 200_000
"""A file larger than this is read by the crawler: parsing it would hold up a question."""

INDEX_SHADOWS: Final = 256
"""Saved files that could not be written to the index (a full disk) and are kept in memory instead."""

INDEX_KEPT_DAYS: Final = 30
"""An index that was not used for so long is deleted; making it again costs a minute."""

INDEX_LOCK_POLL_S: Final = 2.0
"""How often a server looks whether another one's crawl of the same workspace has ended."""

INDEX_CRAWL_CRASHES: Final = 3
"""So often in a row a crawler may die before the index is left as it is: each time the file it died of is left out."""

IGNORE_FRESH_S: Final = 1.0
"""How long the ignore files of a folder are believed to be unchanged without looking."""

IGNORE_CACHED_FOLDERS: Final = 20_000
"""Folders whose rules are remembered at once, a few hundred bytes each."""

IGNORE_FILE_BYTES: Final = 1_000_000
"""An ignore file is read so far; nobody writes a longer one by hand."""

CRAWL_FILES: Final = 200_000
"""Files of one workspace in its index; the largest repositories that people open as one folder have half of that."""

CRAWL_FOLDERS: Final = 100_000
"""Folders looked into, for the same reason."""

CRAWL_DEPTH: Final = 40
"""Folders in folders; deeper ones are made by programs."""

CRAWL_AHEAD: Final = 20_000
CRAWL_AHEAD_S: Final = 0.05
"""The walk runs so many changed files ahead of reading them, in turns of this length: both must get on from the start."""

CRAWL_BATCH_FILES: Final = 16
CRAWL_BATCH_TERMS: Final = 60_000
"""Files, and characters of their identifiers, in one transaction: some 15 ms, during which nobody else can write."""

CRAWL_JOIN_SHARE: Final = 10
"""A crawl that has read more than one file in so many puts all words into one piece: half a second's work for 10,000 files."""

CRAWL_PAUSE_S: Final = 0.002
"""The pause behind each transaction, in which a save gets its turn."""

CRAWL_REPORT_S: Final = 0.25
"""Progress is reported this often."""

INDEXED_FILE_BYTES: Final = 1_000_000
"""A larger file is data, or was written by a program."""

GENERATED_PROBE_CHARS: Final = 800
"""The head of a file, where generators leave their mark."""

GENERATED_MEAN_CHARS: Final = 1_000
"""Lines that are longer than this on the average are minified or data."""

INDEX_REBUILDS: Final = 3
"""So often in one session a damaged index is made anew; a disk that damages it again is no place for it."""

INDEX_COUNT_S: Final = 5.0
"""Counting a large index takes a tenth of a second, so its numbers may be so old; a count below 5 ms is always made."""

INDEX_RESCAN_S: Final = 300.0
"""How often a workspace is looked through whose files nobody watches; a look at 10,000 unchanged files takes a second."""

INDEX_TIDY_PAGES: Final = 16
"""Pages of the full-text table merged at once between questions, some milliseconds."""

INDEX_TIDY_PAGES_CRAWLING: Final = 256
"""The same after each batch of a crawl, where nobody waits."""

INDEX_GARBAGE: Final = 5_000
"""Objects made and not freed at once, after which the index's process looks for garbage when nobody waits: a question's."""

INDEX_GARBAGE_MOST: Final = 200_000
"""The same when somebody waits: some 20 MiB."""

INDEX_GARBAGE_WHOLE: Final = 20
"""Every so many times it looks through everything, which takes ten milliseconds or more."""

WATCH_DEBOUNCE_MS: Final = 200
WATCH_STEP_MS: Final = 20
"""Changes are passed on after so much silence, but no later than the first: a save is several events within a few ms."""

WATCH_TIMEOUT_MS: Final = 1_000
"""How often the watch looks whether it shall end."""

# -- security: redaction -----------------------------------------------------------------------------------------------

RANDOM_CHANGES: Final = 0.30
RANDOM_WORDS: Final = 0.45
RANDOM_ENTROPY: Final = 0.70
"""How a rolled text differs from a name: share of places where capitals, small letters and digits change (chance: 0.62), share
that words of four letters and more may take, bits a character against the most there can be. Together they find 94 % of rolled
texts of 20 characters, 99 % of 32, and 26 names in 1.1 million lines of Python."""

BARE_RUN_CHARS: Final = 20
"""The shortest run of letters and digits that is judged by its randomness alone, whatever stands around it."""

SOLID_RUN_CHARS: Final = 12
"""Such a run has a part of this length without `_`, `-`, `+` or `/`: names have joints (X509_STORE_get1_crls), keys seldom two."""

PEM_LINE_CHARS: Final = 40
"""A line of a key file is 64 characters or more; a shorter one counts where it stands at the block's end."""

REPEATED_SECRET_CHARS: Final = 7
"""A secret of this length that is no word is hidden wherever else it stands in the same text; shorter ones are part of others."""

REPEATED_SECRETS: Final = 64
"""So many secrets of one text are looked for again: each costs 8 microseconds in a prompt, and a list of keys repeats none."""

REDACTED_LINES: Final = 8_192
"""Lines whose judgement is remembered: several prompts' worth, some 2 MB, so that a key judges one new line."""

REDACTED_LINE_CHARS: Final = 2_000
"""Longer lines are judged anew each time: remembering minified files would hold megabytes."""

PLACEHOLDERS: Final = 10_000
"""Secrets that can be put back; beyond that the one used longest ago is forgotten and stays a placeholder."""

# -- completion: what was sent -----------------------------------------------------------------------------------------

SENT_DOCUMENTS: Final = 20
"""Documents whose newest request can be looked at: each holds the text around a cursor, some 10 KB."""
