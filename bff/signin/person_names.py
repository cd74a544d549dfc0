"""Who may be meant by what an operator types for a person."""

from collections.abc import Iterable

from bff.signin.fingerprints import PairwiseSubjects
from bff.signin.records import BrowserSession
from bff.signin.sign_in import SECTOR


def pairwise_subjects(
    name: str,
    *,
    email: str,
    subjects: PairwiseSubjects,
    issuers: Iterable[str],
    sessions: Iterable[BrowserSession],
) -> set[str]:
    """Return the pairwise subjects that may be meant.

    `name` is one itself, or a subject of one of the providers, whether a session lives or not;
    or it is the e-mail of somebody who has a session: `email` is compared in lower case.
    """
    of_providers = {subjects.subject(sector=SECTOR, issuer=one, subject=name) for one in issuers}
    of_sessions = {
        session.person.pairwise
        for session in sessions
        if session.person.subject == name or session.person.claims.get("email", "").lower() == email
    }
    return {name, *of_providers, *of_sessions}
