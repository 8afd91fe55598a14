"""Every number of the storage room, with its reason."""

from __future__ import annotations

from typing import Final

# -- database ----------------------------------------------------------------------------------------------------------

BUSY_S: Final = 5.0
"""How long a statement waits for another process's write to the same SQLite file; ours take some milliseconds each."""

OPEN_LOCK_S: Final = 60.0
"""How long an opening process waits for another one that migrates: a backup and a rewrite of a gigabyte take that long."""

OPEN_LOCK_STEP_S: Final = 0.02
"""How often it looks."""

CONNECT_S: Final = 5
"""Whole seconds to a PostgreSQL server's answer: a server of one's own network answers in milliseconds."""

READERS: Final = 4
"""Connections that are kept open; SQLite reads beside its writer in WAL mode, and more readers than cores gain nothing."""

MORE_CONNECTIONS: Final = 4
"""Connections beyond those, in a rush; they are closed behind it."""

CONNECTION_WAIT_S: Final = 30.0
"""How long a call waits for a connection: longer than `BUSY_S`, so that the database's own answer comes first."""

BACKUPS_KEPT: Final = 3
"""Backups that are left of a SQLite database: the last migrations, each as large as the database itself."""

ADVISORY_LOCK: Final = 0x647261676F6D616E & 0x7FFF_FFFF_FFFF_FFFF
"""The number of the migrations' lock in PostgreSQL: the name of this program, so that no other one has it."""

# -- conversations -----------------------------------------------------------------------------------------------------

ID_CHARS: Final = 200
"""The longest identifier: three UUIDs and their joints."""

TITLE_CHARS: Final = 80
"""A title is one line of a list."""

PAGE_ROWS: Final = 500
"""Rows read at a time when all are read: a million messages take two thousand rounds and no memory."""

LIST_ROWS: Final = 50
"""Rows of a list where nobody says how many."""

# -- export and import -------------------------------------------------------------------------------------------------

LINE_BYTES: Final = 64 * 1024 * 1024
"""The longest line of an import: a message with a dozen pictures; what is longer is no export of ours."""

BAD_LINES_NAMED: Final = 20
"""Bad lines that one error names; the rest is counted."""

IMPORT_ROWS: Final = 500
"""Lines taken in at a time: a few hundred kilobytes of memory, and a look-up of as many numbers by one statement."""

# -- write-behind ------------------------------------------------------------------------------------------------------

WRITE_BEHIND_ITEMS: Final = 10_000
"""Records that wait for the database at most, a few hundred bytes each: minutes of a busy gateway."""

WRITE_BEHIND_BATCH: Final = 500
"""Records of one transaction: it takes some milliseconds, so another writer hardly waits."""

WRITE_BEHIND_S: Final = 1.0
"""A record waits this long at most for others to go with it; a crash loses that much."""

WRITE_BEHIND_RETRY_S: Final = 0.5
WRITE_BEHIND_RETRY_MAX_S: Final = 10.0
"""First and longest wait after a write that failed; doubled between them."""

WRITE_BEHIND_CLOSE_S: Final = 5.0
"""How long closing tries to write what waits, then it is counted as dropped: nobody waits longer for an editor to end."""

# -- cache -------------------------------------------------------------------------------------------------------------

CACHE_SECONDS: Final = 300.0
"""How long a value is believed where nobody says, as in the seed of the gateway's cache: five minutes."""

CACHE_ENTRIES: Final = 10_000
CACHE_BYTES: Final = 64 * 1024 * 1024
"""Bounds of the cache in the process; whichever comes first, what was used longest ago goes."""

REDIS_CONNECT_S: Final = 1.0
REDIS_ANSWER_S: Final = 2.0
"""A cache that takes longer than this costs more than it saves."""

REDIS_CONNECTIONS: Final = 16
"""Connections of one process; each call holds one for less than a millisecond."""

REDIS_RETRY_S: Final = 1.0
REDIS_RETRY_MAX_S: Final = 15.0
"""After a failure Redis is left alone for so long, doubled up to so long: a call in between costs nothing."""

REDIS_MISSED: Final = 10_000
"""Keys remembered that changed while Redis was away; with more of them all of Dragoman's keys are dropped at its return."""

LEASE_S: Final = 10.0
"""How long a process that computes is believed to be alive; it renews that while it works, so a dead one holds nobody longer."""

LEASE_STEP_S: Final = 0.05
"""How often those who wait for another process look for its value."""

# -- files -------------------------------------------------------------------------------------------------------------

BLOCK_BYTES: Final = 1024 * 1024
"""Files are read and hashed by the megabyte, a millisecond each, so a cancel comes through in between."""

NAME_BYTES: Final = 255
"""The longest name of a file on every usual file system."""

ORPHAN_S: Final = 3600.0
"""A file that no record names is deleted after this long: before, its record may be on its way."""
