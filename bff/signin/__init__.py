"""Signing people in, their sessions, and the vault that keeps their tokens fresh."""
