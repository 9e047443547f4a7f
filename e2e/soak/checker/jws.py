"""Signed tokens: JWS in compact form (RFC 7515), RS256 and ES256 (RFC 7518), by plain arithmetic."""

import base64
import hashlib
import hmac
import json
import re

ALPHABET = re.compile(r"^[A-Za-z0-9_-]*$")


def decode(text):
    """Decodes base64url without padding; None if it isn't that."""
    if not ALPHABET.match(text) or len(text) % 4 == 1:
        return None
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decode(text), "big")


def parse_object(data):
    try:
        value = json.loads(data)
    except (ValueError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None


class Token:
    """A token's parts. header is None if its form is bad."""

    def __init__(self, text):
        self.size = len(text)
        self.header = self.claims = self.signature = None
        parts = text.split(".")
        if len(parts) != 3:
            return
        decoded = [decode(p) for p in parts]
        if None in decoded:
            return
        header, claims = parse_object(decoded[0]), parse_object(decoded[1])
        if header is None or claims is None:
            return
        self.header, self.claims, self.signature = header, claims, decoded[2]
        self.signed = text[: text.rindex(".")].encode()


# DigestInfo of SHA-256 in PKCS #1 v1.5 (RFC 8017, section 9.2).
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def verify_rs256(key, signed, signature):
    n, e = number(key["n"]), number(key["e"])
    size = (n.bit_length() + 7) // 8
    if len(signature) != size:
        return False
    info = SHA256_INFO + hashlib.sha256(signed).digest()
    want = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return pow(int.from_bytes(signature, "big"), e, n).to_bytes(size, "big") == want


# The curve P-256 (SEC 2, section 2.4.2); its a is -3.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def double(p):
    """Doubles a point in Jacobian coordinates; z is 0 at infinity."""
    x, y, z = p
    if not y or not z:
        return (1, 1, 0)
    yy = y * y % P
    s = 4 * x * yy % P
    m = 3 * (x - z * z) * (x + z * z) % P
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * yy * yy) % P, 2 * y * z % P


def add(p, q):
    if not p[2]:
        return q
    if not q[2]:
        return p
    pz, qz = p[2] * p[2] % P, q[2] * q[2] % P
    u, v = p[0] * qz % P, q[0] * pz % P
    s, t = p[1] * qz * q[2] % P, q[1] * pz * p[2] % P
    if u == v:
        return double(p) if s == t else (1, 1, 0)
    h, r = v - u, t - s
    hh = h * h % P
    hhh, uh = hh * h % P, u * hh % P
    x = (r * r - hhh - 2 * uh) % P
    return x, (r * (uh - x) - s * hhh) % P, h * p[2] * q[2] % P


def verify_es256(key, signed, signature):
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    w = pow(s, -1, N)
    u = int.from_bytes(hashlib.sha256(signed).digest(), "big") * w % N
    v = r * w % N
    g, q = (*G, 1), (number(key["x"]), number(key["y"]), 1)
    both, sum_ = add(g, q), (1, 1, 0)
    for bit in range(255, -1, -1):
        sum_ = double(sum_)
        which = (u >> bit & 1) | (v >> bit & 1) << 1
        if which:
            sum_ = add(sum_, (None, g, q, both)[which])
    if not sum_[2]:
        return False
    return sum_[0] * pow(sum_[2] * sum_[2], -1, P) % P % N == r


ALGORITHMS = {
    "RS256": (lambda k: k["kty"] == "RSA", verify_rs256),
    "ES256": (lambda k: k["kty"] == "EC" and k.get("crv") == "P-256", verify_es256),
}


class KeySet:
    """A JWK Set, as an issuer answered it."""

    def __init__(self, text):
        self.keys = json.loads(text)["keys"]

    def outcome(self, token):
        """Returns "", "unknown_key" or "invalid_signature"."""
        fits, verify = ALGORITHMS[token.header["alg"]]
        kid = token.header.get("kid")
        keys = [k for k in self.keys if fits(k) and (kid is None or k.get("kid") == kid)]
        if not keys:
            return "unknown_key"
        if any(verify(k, token.signed, token.signature) for k in keys):
            return ""
        return "invalid_signature"


def mac(key, prev, signed):
    return hmac.digest(key, prev + signed, "sha256")
