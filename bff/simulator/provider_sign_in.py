"""The stand-in provider's sign-in page: a form, the sample people, and a way out."""

import hmac

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bff.simulator.provider_authorize import code_answer, error_answer
from bff.simulator.provider_cookies import browser_cookie, current_sign_on, remember_sign_on
from bff.simulator.provider_core import Provider, this_provider
from bff.simulator.provider_people import SAMPLE_PASSWORD, Person
from bff.simulator.provider_problems import LostVisitorError, OAuthError
from bff.simulator.provider_sessions import OpenPage
from bff.simulator.provider_settings import ACR_BY_STRENGTH

doors = Blueprint("sign_in", __name__)


@doors.get("/sign-in/<page_id>")
def sign_in(page_id: str) -> ResponseReturnValue:
    """Show the form."""
    page = _open_page(page_id)
    hint = page.wish.login_hint if page.wish else ""
    return _form(page, username=hint)


@doors.post("/sign-in/<page_id>")
def answer(page_id: str) -> ResponseReturnValue:
    """Take what the person chose: a name and password, one of the sample people, or to leave."""
    page = _open_page(page_id)
    provider = this_provider()
    if request.form.get("choice") == "cancel":
        return _cancelled(provider, page)
    person = _picked(provider) or _with_password(provider)
    if person is None:
        provider.tally.add("wrong_passwords")
        username = request.form.get("username", "")
        return _form(page, username=username, wrong=True), 401
    return _signed_in(provider, page, person)


def _open_page(page_id: str) -> OpenPage:
    page = this_provider().sign_ons.page(page_id, browser=browser_cookie())
    if page is None:
        raise LostVisitorError(
            "This sign-in page has expired or was opened in another browser. "
            "Please go back to the site you came from and start again."
        )
    return page


def _form(page: OpenPage, *, username: str, wrong: bool = False) -> str:
    provider = this_provider()
    client = provider.client(page.wish.client_id) if page.wish else None
    strong = page.wish is not None and page.wish.acr == ACR_BY_STRENGTH[-1]
    return render_template(
        "simulator/provider_sign_in.html",
        client=client,
        current=current_sign_on(),
        password=SAMPLE_PASSWORD,
        people=provider.settings.people,
        strong=strong,
        username=username,
        wrong=wrong,
    )


def _picked(provider: Provider) -> Person | None:
    choice = request.form.get("choice", "")
    return provider.people.get(choice.removeprefix("person:")) if ":" in choice else None


def _with_password(provider: Provider) -> Person | None:
    person = provider.people.get(request.form.get("username", "").strip().lower())
    given = request.form.get("password", "")
    known = person.password if person else ""
    # Compared for unknown names as well, so that the time tells nothing.
    right = hmac.compare_digest(given.encode(), known.encode())
    return person if person is not None and right else None


def _cancelled(provider: Provider, page: OpenPage) -> ResponseReturnValue:
    provider.sign_ons.close_page(page)
    if page.wish is None:
        return redirect(url_for("account.account"))
    error = OAuthError("access_denied", "the person cancelled the sign-in")
    return redirect(error_answer(provider, page.wish.redirect_uri, error, page.wish.state), 303)


def _signed_in(provider: Provider, page: OpenPage, person: Person) -> ResponseReturnValue:
    if not provider.sign_ons.close_page(page):
        raise LostVisitorError("This sign-in page was answered already.")
    acr = page.wish.acr if page.wish and page.wish.acr else ACR_BY_STRENGTH[0]
    before = current_sign_on()
    sign_on = provider.sign_ons.start(person, acr=acr, before=before)
    provider.tally.add("sign_ins")
    if page.wish is None:
        return remember_sign_on(redirect(url_for("account.account"), 303), sign_on)
    target = code_answer(provider, sign_on, page.wish)
    return remember_sign_on(redirect(target, 303), sign_on)
