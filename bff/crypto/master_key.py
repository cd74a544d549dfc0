"""Seals rings of keys under the master key of the settings, and opens them after a change."""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bff.crypto.sealed_value import KEY_BYTES, KEY_ID_BYTES, SealingKey, key_id_of
from bff.errors import BrokenSealError, SettingsError
from bff.ports import Entropy

# The master key itself never touches a cipher: each use has a key of its own (RFC 5869, 3.2).
_SEAL_LABEL: Final = b"messenger-bff/ring-seal/v1"
_ID_LABEL: Final = b"messenger-bff/master-key-id/v1"


def derived(master_key: bytes, label: bytes, *, length: int = KEY_BYTES) -> bytes:
    """Return `length` bytes for the purpose that `label` names, by HKDF-SHA256."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=label).derive(master_key)


class MasterSeal:
    """The current master key seals, the current and the previous ones open."""

    def __init__(self, master_keys: Sequence[bytes], entropy: Entropy) -> None:
        if not master_keys or any(len(key) != KEY_BYTES for key in master_keys):
            raise SettingsError(f"each master key must have {KEY_BYTES} bytes, and one is needed")
        self._entropy = entropy
        made = [_sealing_key(key) for key in master_keys]
        self._current = made[0]
        self._known = {key.id: key for key in made}

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Seal the ring of `purpose` under the current master key."""
        return self._current.seal(plain, context=_context(purpose), entropy=self._entropy)

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Open the ring of `purpose`. Raises BrokenSealError, and says so if no key fits."""
        key = self._known.get(key_id_of(sealed))
        if key is None:
            raise BrokenSealError(
                f"the key ring {purpose!r} in the store is sealed under the master key"
                f" {key_id_of(sealed).hex()}, which is not configured (configured:"
                f" {', '.join(sorted(known.hex() for known in self._known))}):"
                " set it again, as the previous master key if it was replaced"
            )
        return key.open(sealed, context=_context(purpose))

    def is_current(self, sealed: bytes) -> bool:
        """Say whether the current master key sealed this."""
        return key_id_of(sealed) == self._current.id

    def name_of(self, sealed: bytes) -> str:
        """Return the id of the master key that sealed this, and which of the settings it is."""
        key_id = key_id_of(sealed)
        if key_id == self._current.id:
            return f"{key_id.hex()} (BFF_MASTER_KEY)"
        known = "BFF_MASTER_KEY_PREVIOUS" if key_id in self._known else "not configured"
        return f"{key_id.hex()} ({known})"


def _sealing_key(master_key: bytes) -> SealingKey:
    # The id is derived as well, so that it can be shown without telling anything of the key.
    return SealingKey(
        derived(master_key, _ID_LABEL, length=KEY_ID_BYTES), derived(master_key, _SEAL_LABEL)
    )


def _context(purpose: str) -> str:
    return f"key-ring:{purpose}"
