"""How the tables of the guest records came to be, step by step (Alembic)."""
