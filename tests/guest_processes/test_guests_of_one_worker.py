"""Signed-in guests, while one gevent worker is provider, token holder and socket at once."""

from time import monotonic

from guest_page import Jar
from guest_processes import GuestProcess, GuestSite

Here = tuple[GuestSite, GuestProcess]


def test_a_person_chats_though_genesys_asks_the_very_worker_that_waits_for_it(here: Here) -> None:
    site, serve = here
    jar = site.signed_in()[1]
    with site.page(serve, jar) as page:
        page.open()
        page.say("it is me")
        page.until("message_delivered")
    identity = site.heard_from("it is me")
    assert identity.given_name == "Amira"
    assert site.stage.genesys.desk.counters.exchanges >= 1
    # A JWT begins like this, wherever it stands.
    assert "eyJ" not in str(page.seen)


def test_many_people_come_at_once(here: Here) -> None:
    site, serve = here
    jars = [site.signed_in(person)[1] for person in ("amira", "zoe", "ben")] + [Jar()]
    pages = [site.page(serve, jar) for jar in jars]
    for page in pages:
        page.send(page.keys.init())
    for number, page in enumerate(pages):
        page.keys.learn(page.until("session_created"))
        page.say(f"all at once {number}")
    for page in pages:
        page.until("message_delivered", seq=1)
        page.leave()
    names = [getattr(site.heard_from(f"all at once {n}"), "given_name", None) for n in range(4)]
    assert names[3] is None
    assert len(set(names)) == 4


def test_a_sign_out_in_another_tab_closes_the_chat_within_a_second(here: Here) -> None:
    site, serve = here
    browser, jar = site.signed_in()
    with site.page(serve, jar) as page, site.page(serve) as neighbour:
        neighbour.open()
        page.open()
        page.say("soon gone")
        page.until("message_delivered")
        began = monotonic()
        assert browser.post("/auth/logout").ok
        assert page.until_closed() == (1000, "signed_out")
        assert monotonic() - began < 1
        assert page.seen[-1]["reason"] == "signed_out"
        neighbour.say("not disturbed")
        neighbour.until("message_delivered")
