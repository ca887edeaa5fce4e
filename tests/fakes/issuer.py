"""Who vouches for a pod: signed tokens in a file, as Kubernetes projects them, and their strict check."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["SUBJECT", "Issuer"]

SUBJECT: Final = "system:serviceaccount:airflow:worker"
_URL: Final = "https://oidc.cluster.example"


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Issuer:
    """A cluster that signs tokens; each has a key of its own."""

    key: rsa.RSAPrivateKey = field(default_factory=_key)

    def token(self, audience: str, *, subject: str = SUBJECT, expires_in_s: float = 3600) -> str:
        now = time.time()
        claims = {"iss": _URL, "sub": subject, "aud": audience, "iat": now - 7200}
        return jwt.encode({**claims, "exp": now + expires_in_s}, self.key, "RS256")

    def fault(self, token: str, audience: str) -> str | None:
        """What is wrong with a token, as the name of PyJWT's error; None where nothing is."""
        try:
            claims = jwt.decode(
                token,
                self.key.public_key(),
                ["RS256"],
                audience=audience,
                issuer=_URL,
                options={"require": ["exp", "iat", "sub"]},
            )
        except jwt.InvalidTokenError as err:
            return type(err).__name__
        return None if claims["sub"] == SUBJECT else "InvalidSubjectError"
