"""The stand-in hurts where Genesys hurts: the forum's plugin suffers on it, ours does not."""

import pytest
from world import JWT_LIFE, World


@pytest.mark.turns_time
def test_only_the_naive_plugin_shows_the_pop_up_after_an_expiry_and_a_reload(own: World) -> None:
    ours = own.signed_in_tab()
    own.pass_time(JWT_LIFE)
    ours.page.wait_for_function("() => window.__expiries.length > 1")
    ours.page.reload()
    ours.wait_until_known(own.provider.first.name)
    ours.page.close()

    naive = own.tab()
    naive.visit("/naive")
    naive.open_messenger()
    naive.wait_until_known(own.provider.first.name)
    own.pass_time(JWT_LIFE * 2)
    naive.page.reload()
    naive.part("messenger-reauthenticate").wait_for()

    assert ours.page.is_closed()
    assert naive.popups == 1

    healed = own.tab()
    healed.visit("/")
    healed.wait_until_known(own.provider.first.name)
    assert healed.popups == 0
