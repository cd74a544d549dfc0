"""What is remembered of guests, how it is erased, and the trail of who did what."""
