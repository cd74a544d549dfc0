"""`messenger-bff sessions`: who is signed in, and ending it while their pages are open."""

import queue

import pytest
from command_rig import Serving, Site
from wire_browser import WireBrowser

from bff.settings import Settings
from bff.wiring import build

Served = tuple[Site, Serving]


def signed_in(served: Served, person: str = "amira") -> WireBrowser:
    browser = WireBrowser(served[1].url)
    browser.sign_in(person)
    return browser


def whole_ids(site: Site) -> list[str]:
    here = build(Settings.read(site.env))
    found = [str(session.key) for session in here.book.everyone()]
    here.close()
    return found


def test_nobody_is_a_sentence_and_no_fault(on_file: Served) -> None:
    everybody = on_file[0].command("sessions", "list")
    one = on_file[0].command("sessions", "list", "--person", "nobody@example.com")

    assert (everybody.code, everybody.out) == (0, "nobody is signed in\n")
    assert (one.code, one.out) == (0, "no session of nobody@example.com\n")


def test_everybody_is_listed_newest_first_with_ids_that_can_be_typed(on_file: Served) -> None:
    signed_in(on_file)
    signed_in(on_file, "zoe")

    listed = on_file[0].command("sessions", "list")

    assert listed.out.split()[:3] == ["SESSION", "PERSON", "PROVIDER"]
    assert [row[1] for row in listed.rows] == ["zoe@example.org", "amira@example.com"]
    assert [len(row) for row in listed.rows] == [6, 6]
    assert all(len(row[0]) == 16 and row[0].isalnum() for row in listed.rows)


def test_somebody_whose_address_is_not_verified_is_listed_by_subject(on_file: Served) -> None:
    signed_in(on_file, "ben")

    assert [row[1] for row in on_file[0].command("sessions", "list").rows] == ["c-20698"]


def test_the_list_of_one_person(on_file: Served) -> None:
    signed_in(on_file)
    signed_in(on_file)
    signed_in(on_file, "zoe")

    by_address = on_file[0].command("sessions", "list", "--person", "AMIRA@example.com")
    by_subject = on_file[0].command("sessions", "list", "--person", "c-20417")

    assert [row[1] for row in by_address.rows] == ["amira@example.com"] * 2
    assert by_address.out == by_subject.out


def test_an_open_page_is_told_within_a_second_by_another_process(served: Served) -> None:
    browser, other = signed_in(served), signed_in(served)
    shown = served[0].command("sessions", "list").rows[-1][0]

    with browser.listening() as page, other.listening() as untouched:
        done = served[0].command("sessions", "revoke", shown)
        told = page.next(within_s=1)

        assert (done.code, done.out, done.err) == (0, "1 session revoked\n", "")
        assert told == ("session_ended", {"reason": "revoked"})
        assert page.ended(within_s=1)
        with pytest.raises(queue.Empty):
            untouched.next(within_s=0.2)

    assert not browser.signed_in
    assert other.signed_in
    assert browser.post("/messenger/code").json()["code"] == "login_required"


def test_every_session_of_a_person_ends_and_nobody_elses(served: Served) -> None:
    laptop, phone, other = signed_in(served), signed_in(served), signed_in(served, "zoe")

    with laptop.listening() as one, phone.listening() as two:
        done = served[0].command("sessions", "revoke", "--person", "Amira@Example.com")

        assert one.next(within_s=1) == two.next(within_s=1)

    assert (done.code, done.out) == (0, "2 sessions revoked\n")
    assert [laptop.signed_in, phone.signed_in, other.signed_in] == [False, False, True]


def test_the_refresh_token_is_revoked_at_the_provider_as_well(on_file: Served) -> None:
    signed_in(on_file)
    before = on_file[0].provider.provider.tally["revocation"]

    on_file[0].command("sessions", "revoke", "--person", "c-20417")

    assert on_file[0].provider.provider.tally["revocation"] == before + 1


def test_everyone_means_everyone(on_file: Served) -> None:
    browsers = [signed_in(on_file), signed_in(on_file, "zoe")]

    done = on_file[0].command("sessions", "revoke", "--everyone")

    assert (done.code, done.out) == (0, "2 sessions revoked\n")
    assert [browser.signed_in for browser in browsers] == [False, False]


def test_words_that_do_not_name_one_session_end_none(on_file: Served) -> None:
    site = on_file[0]
    browser = signed_in(on_file)
    (whole,) = whole_ids(site)

    answers = {
        "too short": site.command("sessions", "revoke", whole[:7]),
        "is no session": site.command("sessions", "revoke", whole[:15] + "x"),
        "no session of": site.command("sessions", "revoke", "--person", "nobody"),
    }

    for words, done in answers.items():
        assert (done.code, done.out) == (1, ""), words
        assert words in done.err
        assert done.err.endswith("; nothing was revoked\n")
    assert browser.signed_in


@pytest.mark.parametrize(
    "words", [(), ("deadbeef00", "--person", "c-20417"), ("--everyone", "--person", "c-20417")]
)
def test_both_or_neither_way_to_choose_is_a_misuse(site: Site, words: tuple[str, ...]) -> None:
    done = site.command("sessions", "revoke", *words)

    assert done.code == 2
    assert "--person" in done.err


def test_a_revocation_is_final_also_for_the_whole_id(on_file: Served) -> None:
    signed_in(on_file)
    (whole,) = whole_ids(on_file[0])

    first = on_file[0].command("sessions", "revoke", whole)
    second = on_file[0].command("sessions", "revoke", whole)

    assert (first.code, second.code) == (0, 1)
