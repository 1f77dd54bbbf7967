"""Pure decisions: no I/O, no clock, no randomness. Time and chance are parameters."""
