"""The second shell of the guest socket: uvloop and picows, for many connections."""
