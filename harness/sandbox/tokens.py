"""Access tokens: JWTs (RFC 7519) signed with RS256 (RFC 7518 §3.3), as UAA's are, and the keys to check them by.

UAA signs, Cloud Controllers check. The signing key lives in a file, so it outlives a restart of UAA.
"""

import base64
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_BITS = 2048
_FILE = "uaa-signing-key.pem"

Keys = Mapping[str, rsa.RSAPublicKey]  # by kid


class TokenError(Exception):
    """A token that is not good; its text says why."""


class _Header(msgspec.Struct):
    alg: str
    kid: str


class _Key(msgspec.Struct):
    kid: str
    n: str
    e: str


class _KeySet(msgspec.Struct):
    keys: list[_Key]


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What Cloud Controller reads in a token."""

    sub: str
    exp: int  # Unix seconds
    rev_sig: str
    scope: tuple[str, ...]
    user_name: str = ""  # empty: a client's own
    client_id: str = ""


@dataclass(frozen=True)
class SigningKey:
    """UAA's."""

    kid: str
    private: rsa.RSAPrivateKey

    def sign(self, claims: Mapping[str, object], url: str) -> str:
        """A JWT. `url` is UAA's."""
        header = {"alg": "RS256", "jku": f"{url}/token_keys", "kid": self.kid, "typ": "JWT"}
        text = b".".join(_pack(msgspec.json.encode(part)) for part in (header, claims))
        return (text + b"." + _pack(self.private.sign(text, padding.PKCS1v15(), hashes.SHA256()))).decode()

    def public(self) -> dict[str, str]:
        """As `GET /token_keys` lists it (RFC 7517, and PEM besides)."""
        key = self.private.public_key()
        numbers = key.public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "n": _pack_number(numbers.n),
            "e": _pack_number(numbers.e),
            "value": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        }


def load_signing_key(folder: Path) -> SigningKey:
    """The one in the folder, or a new one. Raises OSError."""
    path = folder / _FILE
    if not path.exists():
        return make_signing_key(folder)
    kid, _, pem = path.read_bytes().partition(b"\n")
    private = load_pem_private_key(pem, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return SigningKey(kid.decode(), private)


def make_signing_key(folder: Path) -> SigningKey:
    """A new one, in place of the one in the folder. Raises OSError."""
    key = SigningKey(f"key-{uuid.uuid4().hex[:8]}", rsa.generate_private_key(public_exponent=65537, key_size=_BITS))
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, key.kid.encode() + b"\n" + pem)
    finally:
        os.close(descriptor)
    return key


def read_keys(body: bytes) -> Keys:
    """Of an answer of `/token_keys`. Raises ValueError."""
    try:
        listed = msgspec.json.decode(body, type=_KeySet).keys
    except msgspec.MsgspecError as error:
        raise ValueError(f"no keys: {error}") from None
    return {
        each.kid: rsa.RSAPublicNumbers(_unpack_number(each.e), _unpack_number(each.n)).public_key() for each in listed
    }


def read_token(token: str, keys: Keys) -> Claims:
    """The claims of a token whose signature is right; it may be over. Raises TokenError."""
    try:
        text, _, signature = token.rpartition(".")
        first, _, second = text.partition(".")
        header = msgspec.json.decode(_unpack(first), type=_Header)
        key = keys.get(header.kid)
        if header.alg != "RS256" or key is None:
            raise TokenError(f"signed with a key that nobody knows: {header.kid}")
        key.verify(_unpack(signature), text.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        return msgspec.json.decode(_unpack(second), type=Claims)
    except (InvalidSignature, msgspec.MsgspecError, ValueError) as error:  # base64's and the codecs' are ValueErrors
        raise TokenError(str(error) or "a wrong signature") from None


def _pack(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unpack(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _pack_number(number: int) -> str:
    return _pack(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def _unpack_number(text: str) -> int:
    return int.from_bytes(_unpack(text), "big")
