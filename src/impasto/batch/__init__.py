"""Many pictures in one go: planned, shared out among processes, entered into a ledger that outlives all of them."""
