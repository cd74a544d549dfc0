"""The demo's brand page: a small shop with the Messenger in it, as a customer of ours has one."""

from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue

from bff.resources import static_folder, templates_folder
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT

COLOURS: Final = (("Moss", "#5d6b4a"), ("Oat", "#cdbfa3"), ("Slate", "#5b6770"))
FACTS: Final = (
    ("Wool", "100 % lambswool from the Pennines, spun in Yorkshire"),
    ("Size", "140 by 190 cm, 1.2 kg"),
    ("Care", "Brush when dry, wash at 30 °C, dry flat"),
    ("Delivery", "Two to three working days, free from £50"),
)
ORDERS: Final = (
    ("FT-20931", "Hollin blanket, moss", "On its way", "Arrives tomorrow"),
    ("FT-20418", "Ribbed wool socks, two pairs", "Delivered", "3 October"),
    ("FT-19877", "Cedar blocks, box of twelve", "Delivered", "14 August"),
)
TOPICS: Final = (
    ("Where is my order?", "Where is my order?"),
    ("Send something back", "How do I return a blanket?"),
    ("Washing wool", "How do I wash it?"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandSettings:
    """Where the brand page finds the others; the addresses are the browser's."""

    bff_url: str
    genesys_url: str
    deployment_id: str = DEMO_DEPLOYMENT
    name: str = "Fern & Thread"
    # Without it the page has the Messenger alone: for tests that bring their own AuthProvider.
    with_plugin: bool = True
    # The recorder of the flow inspector, as the first script of every page.
    inspected: bool = False


def create_brand_site(settings: BrandSettings) -> Flask:
    """Return the shop: our plugin, the forum's at `/naive` and `/thread`, a chat at `/support`."""
    app = Flask(
        "brand",
        template_folder=str(templates_folder() / "simulator"),
        static_folder=str(static_folder() / "simulator"),
        static_url_path="/static",
    )

    def page(template: str, **words: Any) -> str:
        plugin = "ours" if settings.with_plugin else "none"
        # `/?surface=popup`: people sign in in a window beside the page.
        surface = "popup" if request.args.get("surface") == "popup" else "redirect"
        known = {"settings": settings, "plugin": plugin, "surface": surface}
        return render_template(template, **known | words)

    @app.get("/")
    def product() -> ResponseReturnValue:
        return page("brand_product.html", colours=COLOURS, facts=FACTS)

    @app.get("/orders")
    def orders() -> ResponseReturnValue:
        return page("brand_orders.html", orders=ORDERS)

    @app.get("/support")
    def support() -> ResponseReturnValue:
        # A page without the Messenger can be as strict as a page can be.
        policy = {"Content-Security-Policy": _strict(settings.bff_url)}
        return page("brand_support.html", topics=TOPICS), policy

    @app.get("/naive")
    def naive() -> ResponseReturnValue:
        return page("brand_product.html", colours=COLOURS, facts=FACTS, plugin="naive")

    @app.get("/thread")
    def thread() -> ResponseReturnValue:
        return page("brand_product.html", colours=COLOURS, facts=FACTS, plugin="thread")

    return app


def _strict(bff_url: str) -> str:
    socket_url = "ws" + bff_url.removeprefix("http")
    return (
        f"default-src 'none'; script-src 'self' {bff_url}; connect-src {bff_url} {socket_url}; "
        "style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
