"""Who may ask what: origins, the CSRF header, and headers that keep answers private."""

from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request
from flask_cors import CORS

from bff.errors import CsrfRefusedError, OriginRefusedError
from bff.web.doorway import SiteRules, services

CSRF_HEADER: Final = "X-CSRF"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

SERVER_TO_SERVER: Final = frozenset(
    {
        "auth.backchannel_logout",
        "provider.token",
        "provider.revoke",
        "provider.userinfo",
        "provider.logout",
        "deletion.delete_guest",
        "records.audit",
        "records.person",
    }
)
"""Doors that no script of ours calls; each authenticates its caller by itself."""

CACHED: Final = frozenset(
    {
        "plugin.script",
        "plugin.guest_script",
        "plugin.person_script",
        "plugin.sign_in_script",
        "plugin.inspector_script",
        "plugin.hashed_script",
        "static",
        "provider.discovery",
        "provider.authorization_server",
        "provider.jwks",
    }
)
"""Doors whose answers are the same for everybody."""

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "frame-ancestors {ancestors}; base-uri 'none'; form-action 'self'"
)

FRAMED: Final = frozenset({"auth.signed_in", "auth.failed", "passthrough.silent"})
"""Last pages of a frame in the brand's page; there is nothing on them to click or to read."""


CALLED_BY_PAGES: Final = r"/(auth|messenger)/.*|/inspector/(start|events|stop)$"
"""Paths that scripts on the allowed origins call."""

OWN_POLICY: Final = frozenset({"inspector.page"})
"""Pages with a policy of their own, stricter than this one but for what they fetch."""


def install(app: Flask, site: SiteRules) -> None:
    """Put the guard before every door, also those that somebody adds later."""
    CORS(
        app,
        resources={CALLED_BY_PAGES: {"origins": list(site.allowed_origins)}},
        supports_credentials=True,
        allow_headers=["Content-Type", CSRF_HEADER],
        methods=["GET", "POST"],
        expose_headers=["Retry-After"],
        # Whoever names no origin is told of none.
        always_send=False,
        max_age=600,
        # A page must be able to read why it was refused.
        intercept_exceptions=True,
    )
    app.before_request(_check)
    app.after_request(_keep_private)


def _check() -> None:
    """Refuse a request that changes something unless our page sent it.

    A form on another site cannot set the header; a script there fails the preflight; the list
    of origins stands behind both (OWASP: custom header with origin check).
    """
    if request.method in SAFE_METHODS or request.endpoint is None:
        return
    if request.endpoint in SERVER_TO_SERVER:
        return
    site = services().site
    origin = request.headers.get("Origin")
    if origin not in {site.public_url, *site.allowed_origins}:
        raise OriginRefusedError(f"origin {str(origin)[:100]!r}")
    if request.headers.get(CSRF_HEADER) != "1":
        raise CsrfRefusedError("header is missing")


def _keep_private(response: Response) -> Response:
    """No cache keeps an answer about a person; no page of ours is framed or leaks its address."""
    # A refusal is of the moment, wherever it comes from.
    if request.endpoint not in CACHED or response.status_code >= HTTPStatus.BAD_REQUEST:
        response.headers["Cache-Control"] = "no-store"
        response.vary.update(("Cookie", "Origin"))
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html" and request.endpoint not in OWN_POLICY:
        _keep_out_of_frames(response)
    return response


def _keep_out_of_frames(response: Response) -> None:
    """Let no page frame ours; the allowed origins those that end a sign-in in their frame."""
    if request.endpoint in FRAMED:
        ancestors = " ".join(services().site.allowed_origins)
    else:
        ancestors = "'none'"
        response.headers["X-Frame-Options"] = "DENY"
    response.headers["Content-Security-Policy"] = PAGE_POLICY.format(ancestors=ancestors)
