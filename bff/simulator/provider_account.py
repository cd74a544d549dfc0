"""The stand-in provider's account page and the ways out: RP-initiated, and everywhere."""

from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bff.simulator.provider_cookies import (
    browser_cookie,
    current_sign_on,
    forget_sign_on,
    mark_browser,
)
from bff.simulator.provider_core import Provider, this_provider
from bff.simulator.provider_problems import LostVisitorError
from bff.simulator.provider_sessions import SignOn
from bff.simulator.provider_settings import ProviderClient

doors = Blueprint("account", __name__)


@doors.get("/")
def front() -> ResponseReturnValue:
    """Lead to the account."""
    return redirect(url_for("account.account"))


@doors.get("/account")
def account() -> ResponseReturnValue:
    """Show who is signed in here, and in which apps."""
    sign_on = current_sign_on()
    if sign_on is None:
        return render_template("simulator/provider_signed_out.html", came_from=None)
    provider = this_provider()
    apps = [provider.client(client_id) for client_id in sorted(sign_on.client_ids)]
    theirs = [one for one in provider.sign_ons.living() if one.person == sign_on.person]
    return render_template(
        "simulator/provider_account.html",
        apps=[app.display_name for app in apps if app],
        browsers=len(theirs),
        person=sign_on.person,
    )


@doors.get("/account/sign-in")
def sign_in() -> ResponseReturnValue:
    """Sign in to the account itself, for no client."""
    page = this_provider().sign_ons.open_page(None, browser=browser_cookie())
    return mark_browser(redirect(url_for("sign_in.sign_in", page_id=page.page_id)), page)


@doors.post("/account/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign out everywhere. `SameSite=Lax` keeps other sites' forms from doing this."""
    sign_on = current_sign_on()
    if sign_on is not None:
        this_provider().sign_out_everywhere(sign_on.person.subject)
    return forget_sign_on(redirect(url_for("account.account"), 303))


@doors.route("/end-session", methods=["GET", "POST"])
def end_session() -> ResponseReturnValue:
    """Sign out at the wish of a client (OIDC RP-Initiated Logout 2)."""
    provider = this_provider()
    fields = request.form if request.method == "POST" else request.args
    hint = fields.get("id_token_hint")
    claims = provider.keys.read(hint) if hint else None
    if hint and claims is None:
        raise LostVisitorError("The sign-out request carries a token that is not ours.")
    client = _asking_client(provider, claims, fields.get("client_id"))
    target = _return_address(client, fields.get("post_logout_redirect_uri"), fields.get("state"))
    sign_on = current_sign_on() or provider.sign_ons.of_sid((claims or {}).get("sid"))
    if sign_on is not None and not _confirmed(sign_on, claims):
        # Section 2: ask, unless the hint proves who wants this; any page can link here.
        return render_template("simulator/provider_confirm.html", client=client, fields=fields)
    if sign_on is not None:
        provider.end_sign_on(sign_on)
    if target is not None:
        return forget_sign_on(redirect(target, 303))
    page = render_template("simulator/provider_signed_out.html", came_from=client)
    return forget_sign_on(page)


def _asking_client(
    provider: Provider, claims: dict[str, object] | None, client_id: str | None
) -> ProviderClient | None:
    audience = str(claims["aud"]) if claims else None
    if audience and client_id and audience != client_id:
        raise LostVisitorError("The sign-out request names two different apps.")
    return provider.client(audience or client_id)


def _return_address(
    client: ProviderClient | None, address: str | None, state: str | None
) -> str | None:
    if address is None:
        return None
    if client is None or address not in client.post_logout_redirect_uris:
        raise LostVisitorError("The address to return to is not registered for this app.")
    if state is None:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'state': state})}"


def _confirmed(sign_on: SignOn, claims: dict[str, object] | None) -> bool:
    if claims is not None and claims.get("sid") == sign_on.sid:
        return True
    # The form on our own page is same-site; a foreign form brings no cookie to confirm with.
    return request.method == "POST" and request.form.get("confirmed") == "yes"
