"""The editor's door: decode a message, take a snapshot, call the domain, encode its answer."""
