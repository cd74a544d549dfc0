"""The guest records put together: their adapters are known here and in `wiring` only."""
