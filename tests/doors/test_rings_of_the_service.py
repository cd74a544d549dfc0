"""Which keyrings of a built service look up every unknown key id, and which save readings."""

import pytest
from bff_rig import BffRig
from ring_rigs import CONTEXT

from bff.errors import BrokenSealError
from bff.wiring import open_rings


@pytest.mark.parametrize(("use", "found"), [("seal", True), ("guest", True), ("chat", False)])
def test_only_the_ring_whose_ids_a_browser_can_make_up_saves_readings(
    bff: BffRig, use: str, found: bool
) -> None:
    here, elsewhere = (
        open_rings(
            bff.settings,
            bff.services.store,
            None,
            clock=bff.services.clock,
            entropy=bff.services.entropy,
        )[use]
        for _ in range(2)
    )
    sealed = here.seal(b"secret", context=CONTEXT)
    made_up = sealed[:1] + bytes(8) + sealed[9:]
    with pytest.raises(BrokenSealError):
        here.open(made_up, context=CONTEXT)
    elsewhere.rotate()
    new = elsewhere.seal(b"secret", context=CONTEXT)

    if found:
        assert here.open(new, context=CONTEXT) == b"secret"
    else:
        with pytest.raises(BrokenSealError):
            here.open(new, context=CONTEXT)
