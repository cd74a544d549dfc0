"""One `serve` on a file, for all tests here that leave it as it is."""

from collections.abc import Iterator

import pytest
from guest_processes import GuestProcess, GuestSite, guest_site


@pytest.fixture(scope="package")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GuestSite, GuestProcess]]:
    with guest_site(tmp_path_factory.mktemp("serve")) as plain:
        site = plain.with_settings(BFF_GUEST_SESSIONS_PER_MINUTE="100")
        with site.serving() as serve:
            yield site, serve
            assert serve.is_clean, serve.log
