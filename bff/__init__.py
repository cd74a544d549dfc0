"""Messenger BFF: sign in once, chat as yourself in the Genesys Cloud Messenger."""
