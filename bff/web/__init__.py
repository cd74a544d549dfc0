"""Doors: what HTTP may ask of the services, and how every refusal is answered."""
