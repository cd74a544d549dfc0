"""Bindings are tested on each store; Redis is the real server."""

from store_rigs import redis_server, rig

__all__ = ["redis_server", "rig"]
