"""The ghost-text engine: what to ask a model at a cursor, when, and which part of its answer to show.

Free of LSP types: the language server, the gateway and the command line all use it.
"""
