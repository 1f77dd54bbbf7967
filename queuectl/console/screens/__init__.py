"""One module a screen or dialog, its stylesheet beside it."""
