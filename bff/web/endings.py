"""Where a sign-in ends: back on the page, or on a page of ours whose address says nothing."""

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flask import redirect, url_for

from bff.errors import BffError
from bff.signin.records import Surface
from bff.web import problems

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

FAILURE_FRAGMENT: Final = "messenger-auth-error"


def signed_in(surface: Surface, transaction: str | None, return_url: str) -> "Response":
    """Go back to the page, or to the last page of the window or frame beside it."""
    if surface is Surface.REDIRECT:
        return redirect(return_url, code=303)
    # Not shown here: the address of this answer has the provider's code in it.
    return redirect(url_for("auth.signed_in", transaction=transaction or None), code=303)


def back(return_url: str, error: BffError) -> "Response":
    """Let the page go on without what it wanted, and with a code that it has a sentence for."""
    problems.write_down(error)
    base = return_url.partition("#")[0]
    return redirect(f"{base}#{FAILURE_FRAGMENT}={quote(error.code)}", code=303)


def failed_beside(error: BffError) -> "Response":
    """Say in the window or frame beside the page what went wrong; the page learns it as well."""
    problems.write_down(error)
    return redirect(url_for("auth.failed", code=error.code), code=303)


def of_frame(error: BffError | None = None) -> "Response":
    """End a hidden frame, whatever came of it: nobody sees it, the page asks for the outcome."""
    if error is not None:
        problems.write_down(error)
    return redirect(url_for("passthrough.silent"), code=303)
