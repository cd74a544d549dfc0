"""The jobs in the background of a process that serves: the same for `serve` and `gateway`."""

from typing import TYPE_CHECKING

from bff.signin.revocation_rounds import RevocationRounds

if TYPE_CHECKING:
    from bff.web.doorway import Services


def start_jobs(services: "Services") -> None:
    """Start what any process may have to finish for another that died, or was stopped.

    Leases keep the processes apart: many that start the same cost no more than one.
    """
    background = services.background
    RevocationRounds(services.sign_out, store=services.store, runner=background).start()
    services.session_rounds.start()
    if services.records is not None:
        services.records.writer.start()
