"""What goes on behind the requests of a process: supervised, counted, and seen when it dies."""
