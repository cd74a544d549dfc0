"""The name under which the sockets of a guest hear that the guest is no more."""

from bff.signin.records import SessionKey


def news_of_guest(guest_id: str) -> SessionKey:
    """Return what is followed. No session key begins like this: they are hexadecimal."""
    return SessionKey(f"guest:{guest_id}")
