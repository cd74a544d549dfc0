"""Stand-ins for Genesys and an identity provider, for the demo, the tests and QA."""
