"""The flow inspector: what happened to one browser, kept without secrets, and what is wrong."""
