"""A model of what the gate promises: a verdict from the configuration, the request, the token and the time.

It is written from the documentation. It knows no more of the configuration than the run uses, and
refuses the rest.
"""

import json
import re

from jws import ALGORITHMS, Token

STATUS = {
    "missing_token": 401, "malformed_token": 401, "token_too_large": 401, "unsupported_algorithm": 401, "unknown_key": 401,
    "invalid_signature": 401, "token_type": 401, "expired_token": 401, "not_yet_valid": 401, "invalid_issuer": 401,
    "invalid_audience": 401, "missing_claim": 401, "invalid_claim": 401, "human_required": 403, "machine_required": 403,
    "insufficient_scope": 403, "group_required": 403, "claim_required": 403, "no_route": 403, "rate_limited": 429,
    "unsafe_path": 400, "unsafe_method": 400, "unsafe_host": 400, "jwks_unavailable": 503, "contention": 503, "internal": 503,
}
GRPC = {401: 16, 403: 7, 429: 8, 400: 3, 503: 14}
MAX_TOKEN = 16384

UNSAFE = re.compile(r"(^|/)\.{1,2}(/|$)|//|\\|;|%(2f|5c|3b|25|3f|23|2e)|%(?![0-9a-f]{2})", re.IGNORECASE)


class Route:
    def __init__(self, c, limits):
        known = {"name", "path", "auth", "audit", "caller", "methods", "scopes_all", "scopes_any", "groups_any", "claims", "any_of",
                 "rate_limits", "skip_rate_limits", "cost", "cors_preflight"}
        assert not set(c) - known, set(c) - known
        self.name, self.auth, self.cost = c["name"], c.get("auth", "required"), c.get("cost", 1)
        self.audited, self.passes = c.get("audit", True), c.get("cors_preflight") == "pass"
        self.methods = c.get("methods")
        self.alternatives = c.get("any_of", [c])
        pattern = c["path"]
        if pattern.endswith("/**"):
            text = re.escape(pattern[:-3]) + r"(/.*)?"
        else:
            text = re.escape(pattern).replace(r"\*", "[^/]+") + "/?"
        self.path = re.compile("^" + text + "$")
        named, skipped = c.get("rate_limits", []), c.get("skip_rate_limits", [])
        self.named = [r for r in limits if r.name in named]
        self.limits = [
            r for r in limits
            if r.name in named or r.everywhere and self.auth != "none" and r.name not in skipped and skipped != ["*"]
        ]


class Limit:
    def __init__(self, index, c):
        known = {"name", "when", "identifier", "max_requests", "window_seconds", "windows", "apply", "caller", "claims", "shadow"}
        assert not set(c) - known, set(c) - known
        self.index, self.name = index, c["name"]
        self.before, self.shadow = c.get("when") == "before_auth", c.get("shadow", False)
        self.everywhere = c.get("apply", "everywhere") == "everywhere"
        self.identifier = [e.split("|") for e in c.get("identifier", ["user_id|ip"])]
        windows = c.get("windows") or [c]
        self.windows = [(w["max_requests"], w["window_seconds"]) for w in windows]
        self.caller, self.claims = c.get("caller", "any"), c.get("claims", {})

    def applies(self, who):
        if self.before:
            return True
        if self.caller != "any" and self.caller != who.kind:
            return False
        return all(has(who.claims, n, v) for n, v in self.claims.items())

    def key(self, who, ip, route):
        parts = [self.index]
        for alternatives in self.identifier:
            for e in alternatives:
                if e == "ip":
                    part = ("ip", ip)
                elif e == "route":
                    part = ("route", route.name)
                elif e == "global":
                    part = ("global",)
                elif e == "user_id":
                    part = ("user", who.provider, who.user) if who.user else None
                elif e == "client_id":
                    part = ("client", who.provider, who.client) if who.client else None
                else:
                    raise ValueError(e)
                if part:
                    break
            parts.append(part)
        return tuple(parts)


def has(claims, name, values):
    v = claims.get(name)
    return v in values if isinstance(v, str) else any(x in values for x in v or [])


class Caller:
    """Who calls, as a valid token says; without one, anonymous."""

    __slots__ = ("kind", "provider", "user", "client", "issuer", "claims", "scopes", "groups")

    def __init__(self, claims=None, provider=None, issuer=None):
        self.claims, self.provider, self.issuer = claims or {}, provider, issuer
        c = self.claims
        self.client, self.user = c.get("client_id"), c.get("sub")
        self.scopes, self.groups = c.get("scope", "").split(), c.get("groups", [])
        if claims is None:
            self.kind = "anonymous"
        elif self.user and self.user == self.client:
            self.kind = "machine"
        elif c.get("email") or c.get("name") or c.get("auth_time"):
            self.kind = "human"
        else:
            self.kind = "unknown"

    def lacks(self, need):
        """Returns how far the caller gets with a requirement, and what it lacks; "" for nothing."""
        kind = need.get("caller", "any")
        if kind != "any" and kind != self.kind:
            return 0, kind + "_required"
        if not set(need.get("scopes_all", [])) <= set(self.scopes):
            return 1, "insufficient_scope"
        if "scopes_any" in need and not set(need["scopes_any"]) & set(self.scopes):
            return 1, "insufficient_scope"
        if "groups_any" in need and not set(need["groups_any"]) & set(self.groups):
            return 2, "group_required"
        if not all(has(self.claims, n, v) for n, v in need.get("claims", {}).items()):
            return 3, "claim_required"
        return 9, ""


ANONYMOUS = Caller()


class Config:
    def __init__(self, text):
        c = json.loads(text)
        self.limits = [Limit(i, r) for i, r in enumerate(c["rate_limits"])]
        self.routes = [Route(r, self.limits) for r in c["routes"]]
        self.providers = {p["issuer"]: p for p in c["tokens"]["providers"]}
        self.origins = c["cors"]["allow_origins"]
        self.excluded = set(c["audit"]["exclude_paths"])
        self.found = {}

    def route(self, method, path):
        key = method, path
        if key not in self.found:
            self.found[key] = next((r for r in self.routes if r.path.match(path) and (not r.methods or method in r.methods)), None)
        return self.found[key]


def authorize(route, who):
    if who is ANONYMOUS:
        plain = {"caller": "any"}
        free = any(all(n.get(k, plain.get(k)) in (None, "any") for k in ("caller", "scopes_all", "scopes_any", "groups_any", "claims"))
                   for n in route.alternatives)
        return "" if free else "missing_token"
    best = None
    for need in route.alternatives:
        step, why = who.lacks(need)
        if not why:
            return ""
        if best is None or step > best[0]:
            best = step, why
    return best[1]


class Judge:
    """Judges tokens. What doesn't depend on keys or time is worked out once for each token."""

    def __init__(self, config, keys):
        self.config, self.keys = config, keys
        self.tokens = {}
        self.signatures = {}

    def add(self, number, text):
        self.tokens[number] = text

    def parsed(self, number):
        t = self.tokens[number]
        if isinstance(t, str):
            t = self.tokens[number] = Judged(Token(t), self.config)
        return t

    def outcomes(self, number, t0, t1):
        """Returns the token's possible reasons between two moments, "" for valid; and the token."""
        t = self.parsed(number)
        if t.early:
            return {t.early}, t
        out = set()
        for n, keys in self.keys.candidates(t.provider["name"], t0, t1):
            if keys is None:
                out.add("jwks_unavailable")
                continue
            sig = self.signatures.get((number, n))
            if sig is None:
                sig = self.signatures[number, n] = keys.outcome(t.token)
            if sig:
                out.add(sig)
            else:
                out.update((t.at(t0), t.at(t1)))
        return out, t


class Judged:
    """A token: early is its failure before any key is looked at."""

    def __init__(self, token, config):
        self.token, self.provider, self.who = token, None, None
        self.early = self.form(config)
        if not self.early:
            name = self.provider["name"]
            self.who = Caller(token.claims, name, token.claims["iss"])
            self.late = self.claims()

    def form(self, config):
        if self.token.size > MAX_TOKEN:
            return "token_too_large"
        if self.token.header is None:
            return "malformed_token"
        self.provider = config.providers.get(self.token.claims.get("iss"))
        if self.provider is None:
            return "invalid_issuer"
        alg = self.token.header.get("alg")
        if alg not in self.provider["algorithms"] or alg not in ALGORITHMS:
            return "unsupported_algorithm"
        return ""

    def claims(self):
        p, c = self.provider, self.token.claims
        aud = c.get("aud", [])
        if not set([aud] if isinstance(aud, str) else aud) & set(p["audiences"]):
            return "invalid_audience"
        if any(c.get(n) is None for n in p.get("required_claims", [])):
            return "missing_claim"
        if not all(has(c, n, v) for n, v in p.get("claims", {}).items()):
            return "invalid_claim"
        return ""

    def at(self, t):
        c, skew = self.token.claims, self.provider.get("clock_skew_seconds", 0)
        if self.token.header.get("typ", "JWT").lower() not in ("jwt", "at+jwt"):
            return "token_type"
        if c.get("exp") is None:
            return "missing_claim"
        if t >= c["exp"] + skew:
            return "expired_token"
        if c.get("nbf") is not None and t < c["nbf"] - skew:
            return "not_yet_valid"
        return self.late
