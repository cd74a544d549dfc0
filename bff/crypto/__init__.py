"""Locks: the key ring that seals what we store, and signatures."""
