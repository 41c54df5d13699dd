"""Prolific's secured external URLs: the token in the address that proves whose ID it is, and the keys to check it with.

Prolific's documentation asks to verify the signature (the key that `kid` names), `exp`, `aud` and the claim `prolific`:
https://docs.prolific.com/api-reference/well-known-endpoints/get-study-jwks
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glimpse import how_to_install
from study_app.definition.study import Prolific

if TYPE_CHECKING:
    from jwt import PyJWK

DAY_S = 24 * 3600  # after which the keys are read again, as Prolific asks
AGAIN_S = 60  # after which an unknown key is looked up again: any token can name one
WAIT_S = 5.0  # for the keys
logger = logging.getLogger(__name__)


def proven(token: str, prolific: Prolific, given: dict[str, str]) -> dict[str, str] | None:
    """The parameters that Prolific signed in this token, such as PROLIFIC_PID; None if it proves nothing here.

    It proves nothing if its signature is wrong, it has expired, or was made for another domain or by another workspace
    (any researcher can have Prolific sign any ID for their study), or if one of the parameters `given` in the address
    differs from the signed one.
    """
    try:
        import jwt
    except ImportError:  # the study was loaded elsewhere
        logger.error(f"Links from Prolific are refused, because PyJWT is not installed: {how_to_install('prolific')}.")
        return None

    try:
        key = keys_at(prolific.keys).find(str(jwt.get_unverified_header(token).get("kid", "")))
        if key is None:
            raise jwt.InvalidKeyError("its key is unknown")
        claims = jwt.decode(
            token, key, algorithms=["RS256"], options={"require": ["exp", "aud"], "verify_aud": False}
        )  # `aud`: Prolific says 'the correct domain', and sends an address
    except jwt.PyJWTError as error:
        logger.warning("A link from Prolific was refused: %s.", error)
        return None
    return _for_here(claims, prolific, given)


def unchecked(token: str, prolific: Prolific, given: dict[str, str]) -> dict[str, str] | None:
    """The same for a token that was already verified, when it had not expired."""
    import jwt

    return _for_here(jwt.decode(token, options={"verify_signature": False}), prolific, given)


def _for_here(claims: dict[str, object], prolific: Prolific, given: dict[str, str]) -> dict[str, str] | None:
    audience = claims.get("aud")
    domains = {_domain(str(one)) for one in (audience if isinstance(audience, list) else [audience])}
    payload = claims.get("prolific")
    signed = {str(k): str(v) for k, v in payload.items()} if isinstance(payload, dict) else {}
    if prolific.domain.lower() not in domains:
        logger.warning("A link from Prolific was refused: it is for %s, not %s.", audience, prolific.domain)
    elif signed.get("workspace_id") != prolific.workspace:
        logger.warning("A link from Prolific was refused: it is from a workspace other than %s.", prolific.workspace)
    elif not signed.get("PROLIFIC_PID") or any(signed.get(k, v) != v for k, v in given.items()):
        logger.warning("A link from Prolific was refused: its parameters differ from the signed ones.")
    else:
        return signed
    return None


def _domain(audience: str) -> str:
    try:
        return urlsplit(audience if "//" in audience else f"//{audience}").hostname or ""
    except ValueError:
        return ""


class Keys:
    """Public keys by their `kid`, from an address or a file (a JSON Web Key Set), kept for a day."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, PyJWK] = {}
        self._tried = -float("inf")
        self._lock = threading.Lock()

    def find(self, kid: str) -> PyJWK | None:
        with self._lock:
            age = time.monotonic() - self._tried
            if age > DAY_S or (kid not in self._keys and age > AGAIN_S):
                self._tried = time.monotonic()
                self._read()
            return self._keys.get(kid)

    def _read(self) -> None:
        import jwt

        try:
            if self._source.startswith("https://"):
                with urllib.request.urlopen(self._source, timeout=WAIT_S) as response:
                    text = response.read()
            else:
                text = Path(self._source).read_bytes()
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.loads(text)).keys if key.key_id}
        except (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            logger.warning("Prolific's keys cannot be read from %s (%s): its links are refused.", self._source, error)


_sources: dict[str, Keys] = {}


def keys_at(source: str) -> Keys:
    """The keys of this source, shared by all requests of the process."""
    return _sources.setdefault(source, Keys(source))
