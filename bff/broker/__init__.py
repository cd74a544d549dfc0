"""The OpenID Provider towards Genesys: single-use codes, tokens that die with the session."""
