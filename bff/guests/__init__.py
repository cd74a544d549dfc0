"""Guest sessions: who may speak, in which order, and how it reaches Genesys."""
