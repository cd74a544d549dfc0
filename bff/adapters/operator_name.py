"""Who runs this process, for the trail of what operators did."""

import os
import pwd


def operator_name() -> str:
    """Return the name of the account; in a container without names, its number."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
