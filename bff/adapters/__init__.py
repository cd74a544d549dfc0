"""One library, one room: what speaks to the world outside on behalf of the services."""
