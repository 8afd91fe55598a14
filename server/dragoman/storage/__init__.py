"""What outlives a process: the database, the cache that several processes share, and the files that runs leave behind.

Nobody imports this room at the start of the language server: SQL and Redis come in when something is kept or read.
"""
