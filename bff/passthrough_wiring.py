"""Passthrough put together: Genesys' client at each provider, in whose name requests are made."""

from bff.adapters.openid_client import OpenIdClient, ProviderRegistration
from bff.flow_ports import NO_WATCH, FlowWatch
from bff.identity_settings import ProviderSettings
from bff.ports import Clock, Entropy, Foundation
from bff.settings import Settings
from bff.signin.passthrough import Passthrough
from bff.signin.passthrough_records import GenesysAtProvider, Hint, PassthroughPlan
from bff.signin.session_book import SessionBook
from bff.signin.token_vault import TokenVault
from bff.signin.transactions import Transactions


def build_passthrough(
    settings: Settings,
    foundation: Foundation,
    *,
    book: SessionBook,
    vault: TokenVault,
    transactions: Transactions,
    watch: FlowWatch = NO_WATCH,
) -> Passthrough | None:
    """Return the service, or None where the codes are our own."""
    if not settings.passthrough:
        return None
    plan = PassthroughPlan(
        clients={
            name: genesys_at(name, provider, clock=foundation.clock, entropy=foundation.entropy)
            for name, provider in settings.providers.items()
        },
        redirect_uri=settings.passthrough_redirect_uri,
        visit_url=settings.public_url + "/messenger/authorize",
        code_life=settings.passthrough_code_life,
    )
    return Passthrough(
        foundation, plan=plan, book=book, vault=vault, transactions=transactions, watch=watch
    )


def genesys_at(
    name: str, provider: ProviderSettings, *, clock: Clock, entropy: Entropy
) -> GenesysAtProvider:
    """Return Genesys' client at a provider. Its secret is at Genesys and nowhere else."""
    registration = ProviderRegistration(
        name=name,
        issuer=provider.issuer,
        client_id=provider.passthrough_client_id or "",
        client_secret="",
        scopes=provider.passthrough_scopes,
        extra_parameters=tuple(provider.extra_parameters.items()),
    )
    return GenesysAtProvider(
        provider=OpenIdClient(registration, clock=clock, entropy=entropy),
        hint=Hint(provider.passthrough_hint),
        prompt=provider.prompt,
        max_age=provider.max_age,
        acr_values=provider.acr_values,
    )
