"""Jobs that are never lost: entered once, worked on by whoever holds the lease."""
