"""How many files a process may have open: many systems begin with 1024, and a page has two."""

import logging
import resource
from typing import Final

log = logging.getLogger(__name__)

SOCKETS_OF_A_PAGE: Final = 2
OTHER_FILES: Final = 256


def make_room_for_files(*, pages: int, others: int = OTHER_FILES) -> None:
    """Let this process have the sockets of so many chatting pages, as far as the system does."""
    wanted = pages * SOCKETS_OF_A_PAGE + others
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("%d pages want %d open files; %d are allowed", pages, wanted, hard)
