"""Signed heads of the audit trail: who rewrites the trail cannot rewrite what was signed of it.

The keys are in `checkpoint_keys`, the signer in `checkpoint_signer`, what a signature covers in
`checkpoint_signatures`.
"""

from bff.records.checkpoint_keys import HeadKey, HeadKeyRecord, HeadKeys
from bff.records.checkpoint_signatures import SKEW, is_genuine
from bff.records.checkpoint_signer import HeadSigner

__all__ = ["SKEW", "HeadKey", "HeadKeyRecord", "HeadKeys", "HeadSigner", "is_genuine"]
