"""Holds each request against the model: its verdict, its audit event, its share of the counters."""

import re
from collections import Counter
from datetime import datetime

import windows
from gate import ANONYMOUS, GRPC, STATUS, UNSAFE, authorize

LATE = ("downstream_", "stream_idle_timeout", "http1.", "http2.")
WISH = re.compile(r"\?status=(\d+)")


class Walk:
    """The way of a request through the gate: which reasons it may end with, and what it passed."""

    def __init__(self):
        self.possible, self.route, self.who = set(), None, None
        self.charged = []  # limits in order; the last one refused if limited
        self.limited = self.identified = False
        self.valid, self.failed, self.holder = False, "", None
        self.looked = False  # whether a token was verified
        self.may_wait = False


class Verdicts:
    def __init__(self, configs, judge, sent, access, win, expected, findings):
        self.configs, self.judge, self.sent, self.access = configs, judge, sent, access
        self.windows, self.expected, self.findings = win, expected, findings
        self.events = bytearray(sent.n)
        self.custom = bytearray(sent.n)
        self.unreadable = [0, 0]
        self.shadow = Counter()
        self.cached = [0, 0]

    def event(self, e):
        """Takes an event of the audit log."""
        f, m = self.findings, e["metadata"]
        kind = e["event_type"]
        known = kind in ("auth_success", "auth_failure", "access_denied", "rate_limited", "request", "request_error", "audit_gap")
        self.expected.add("gatehouse_audit_events_total", event_type=kind if known else "custom")
        f.count("audit log: events " + kind)
        if kind == "audit_gap":
            return
        if "x-soak-id" not in m:
            f.differ("an event of a request that was not sent", str(e)[:300])
            return
        i = int(m["x-soak-id"])
        if not known:
            self.custom[i] += 1
            return
        self.events[i] += 1
        if self.events[i] > 1:
            f.differ("a request was audited twice", f"request {i}: {kind}")
        elif not self.access.end[i]:
            f.differ("an event of a request that the access log lacks", f"request {i}")
        else:
            self.request(i, e)

    def rest(self):
        """Looks at the requests that have no event."""
        f, a = self.findings, self.access
        for i in range(self.sent.n):
            if a.end[i]:
                if not self.events[i] and a.before[i]:
                    self.request(i, None)
                elif not a.before[i]:
                    f.count("requests that Envoy refused before the gate")
                    if self.events[i]:
                        f.differ("an event of a request that never came to the gate", f"request {i}")
            elif self.sent.status[i]:
                f.differ("a request was answered and isn't in the access log", f"request {i}")
            elif self.sent.seen[i]:
                f.count("requests that never came to Envoy")
            else:
                f.differ("a request's number is missing", f"request {i}")

    def request(self, i, e):
        f, a = self.findings, self.access
        method, target, flags = self.sent.shapes.texts[self.sent.shape[i]]
        details = a.words.texts[a.details[i]]
        t0, t1 = a.before[i], a.after[i] or a.end[i]
        if a.after[i]:
            observed = ""
        elif details.startswith("gatehouse_"):
            observed = details[len("gatehouse_"):]
        else:
            observed = e and e["metadata"]["reason"]  # None: it was held, and the client left
        config = self.configs[a.words.texts[a.version[i]]]
        rule = e["metadata"]["rule"] if e else None
        w = self.walk(i, config, method, target, flags, t0, t1, observed, rule)
        f.count("verdicts: looked at")
        where = f"request {i} {method} {target} {flags} token {self.sent.token[i]} at {t0:.6f}"
        if observed is None and not a.after[i]:
            if not w.may_wait or a.status[i]:
                f.differ("a request ended without a verdict", f"{where}: {details} {a.status[i]}")
            f.count("verdicts: none, held for keys until the client left")
        elif observed not in w.possible:
            f.differ("a verdict is wrong", f"{where}: want {sorted(w.possible)}, got {observed or 'admitted'!r}")
            return
        else:
            f.count("verdicts: " + (observed or "admitted"))
            if len(w.possible - {"rate_limited", "contention"}) > 1:
                f.count("verdicts: the moment doesn't tell which of several")
        self.charge(i, w, t0, t1, observed)
        self.count(w, observed)
        self.audited(i, e, config, w, observed, target, flags, details, where)

    def walk(self, i, config, method, target, flags, t0, t1, observed, rule):
        """Goes through the steps of a decision in their order. Where moments or limits leave several
        ways open it takes the one that was observed."""
        w, token = Walk(), self.sent.token[i]
        path = target.split("?")[0]
        if UNSAFE.search(path):
            w.possible = {"unsafe_path"}
            return w
        w.route = route = config.route(method, path)
        if route is None:
            w.possible = {"no_route"}
            return w
        passes = "p" in flags and route.passes
        limits = [r for r in route.limits if r.before or r in route.named] if passes else route.limits
        w.possible = {"rate_limited", "contention"} if any(r.before for r in limits) else set()
        if self.pass_limits(w, [r for r in limits if r.before], observed, rule):
            return w
        w.possible = set()
        if route.auth == "none" or passes:
            w.who, w.identified, exempt = ANONYMOUS, True, True
        elif token < 0:
            exempt = False
            if route.auth != "optional":
                w.possible = {"missing_token"}
                return w
            w.who, w.identified = ANONYMOUS, True
        else:
            exempt = False
            if not self.authenticate(w, token, t0, t1, observed):
                return w
        why = "" if exempt else authorize(route, w.who)
        if why:
            w.possible.add(why)
            return w
        w.possible.add("")
        after = [r for r in limits if not r.before and r.applies(w.who)]
        if any(not r.shadow for r in after):
            w.possible |= {"rate_limited", "contention"}
        if rule is None and observed in ("rate_limited", "contention"):
            # It has no event. A route that isn't audited has one limit for each caller.
            rule = next(r.name for r in after if not r.shadow)
        self.pass_limits(w, after, observed, rule)
        return w

    def pass_limits(self, w, limits, observed, rule):
        """Charges limits in turn; returns whether one of them refused."""
        for r in limits:
            w.charged.append(r)
            if observed in ("rate_limited", "contention") and r.name == rule:
                w.limited = True
                return True
        return False

    def authenticate(self, w, token, t0, t1, observed):
        outcomes, t = self.judge.outcomes(token, t0, t1)
        w.may_wait = bool(outcomes & {"unknown_key", "invalid_signature", "jwks_unavailable"})
        bad = outcomes - {""}
        w.possible |= bad
        if observed in bad or not outcomes - bad or observed is None:
            w.failed, w.looked = observed, True
            w.provider = t.provider["name"] if t.provider and observed != "invalid_issuer" else "none"
            if t.who and observed in ("expired_token", "not_yet_valid", "invalid_audience", "missing_claim", "invalid_claim", "token_type"):
                w.holder = t.who
            return False
        w.who, w.identified, w.valid, w.looked = t.who, True, True, True
        return True

    def charge(self, i, w, t0, t1, observed):
        a = self.access
        ip = a.words.texts[a.ip[i]]
        for n, r in enumerate(w.charged):
            last = w.limited and n == len(w.charged) - 1
            if last and observed == "contention":
                self.expected.add("gatehouse_rate_limit_decisions_total", rule=r.name, decision="contention")
                continue
            if last:
                state = windows.REFUSED
            elif w.limited and r.before == w.charged[-1].before:
                state = windows.WITHDRAWN
            else:
                state = windows.ADMITTED
            key = r.key(w.who or ANONYMOUS, ip, w.route)
            decision = "limited" if last else "admitted"
            if r.shadow:
                self.shadow[key] += 1
                most = r.windows[0][0]
                decision = "admitted" if self.shadow[key] <= most else "shadow_limited"
            else:
                self.windows.add(r, key, t0, t1, w.route.cost, state, self.sent.retry[i] if last else 0)
            self.expected.add("gatehouse_rate_limit_decisions_total", rule=r.name, decision=decision)

    def count(self, w, observed):
        if observed is None:
            return
        add = self.expected.add
        route = w.route.name if w.route else "none"
        add("gatehouse_requests_total", route=route, decision=observed or "admitted")
        if w.identified:
            add("gatehouse_callers_total", caller=w.who.kind)
        self.cached[0] += w.looked
        if w.valid:
            add("gatehouse_tokens_validated_total")
            add("gatehouse_validation_duration_us_count")
        elif w.failed and w.failed != "jwks_unavailable":
            add("gatehouse_tokens_failed_total", reason=w.failed, provider=w.provider)
            add("gatehouse_validation_duration_us_count")

    def audited(self, i, e, config, w, observed, target, flags, details, where):
        """Compares the event with what it should say."""
        f, a = self.findings, self.access
        answered = details == "via_upstream" or details.startswith("upstream_reset_after_response_started")
        late = details.startswith(LATE) and a.status[i] > 0
        self.customs(i, observed, target, answered, late, where)
        want = (w.route is None or w.route.audited) and (observed != "" or target.split("?")[0] not in config.excluded)
        if not e:
            if want:
                f.differ("a request without an audit event", f"{where}: {details}")
            f.count("requests that aren't to be audited")
            return
        if not want:
            f.differ("an audit event that isn't to be", where)
        who = w.who or w.holder
        refused = STATUS.get(observed, 0)
        base = "request" if not w.valid else "auth_success"
        kinds = {401: {"auth_failure"}, 403: {"access_denied"}, 400: {"access_denied"}, 429: {"rate_limited"}, 503: {"request_error"}}.get(refused)
        if not kinds:
            kinds = {base} if answered else {base, "request_error"} if late else {"request_error"}
        m = e["metadata"]
        grpc = "g" in flags
        compared = (
            ("reason", observed or None, m["reason"]),
            ("route", w.route.name if w.route else None, m["route"]),
            ("caller", w.who.kind if w.identified else None, m["caller"]),
            ("user_id", who.user if who else None, e["user_id"]),
            ("client_id", who.client if who else None, e["client_id"]),
            ("issuer", who.issuer if who else None, m["issuer"]),
            ("is_m2m", w.identified and w.who.kind == "machine", e["is_m2m"]),
            ("method", self.sent.shapes.texts[self.sent.shape[i]][0], e["method"]),
            ("path", target.split("?")[0], e["path"]),
            ("ip_address", a.words.texts[a.ip[i]], e["ip_address"]),
            ("status_code", a.status[i] or None, e["status_code"]),
            ("rule", w.charged[-1].name if w.limited else None, m["rule"]),
        )
        for name, wanted, got in compared:
            if wanted != got:
                f.differ("an event's " + name, f"{where}: want {wanted!r}, got {got!r}")
        if e["event_type"] not in kinds:
            f.differ("an event's event_type", f"{where} {details}: want {sorted(kinds)}, got {e['event_type']}")
        if refused and a.status[i]:
            f.equal("the status of a refusal", where, 200 if grpc else refused, a.status[i])
            if grpc:
                f.equal("the gRPC status of a refusal", where, GRPC[refused], m.get("grpc_status"))
            if self.sent.status[i]:
                f.equal("x-gatehouse-event-id", where, m["event_id"], self.sent.event_id(i))
                allowed = "https://app.example" if "o" in flags else ""
                f.equal("access-control-allow-origin of a refusal", where, allowed, self.sent.origins.texts[self.sent.origin[i]])
        elif answered:
            wish = WISH.search(target)
            f.equal("the status of an admitted request", where, int(wish[1]) if wish else 200, a.status[i])
        at = datetime.fromisoformat(e["timestamp"]).timestamp()
        if not a.before[i] - 0.002 <= at <= (a.after[i] or a.end[i]) + 0.002:
            f.differ("an event's timestamp", f"{where}: {at:.6f}")

    def customs(self, i, observed, target, answered, late, where):
        """Compares the upstream's own events with what it was asked to report."""
        least, most = int(observed == "" and answered), int(observed == "" and (answered or late))
        if "?audit_event=" not in target:
            least = most = 0
        if "auth_success" in target:
            self.unreadable[0] += least
            self.unreadable[1] += most
            least = most = 0
        if not least <= self.custom[i] <= most:
            self.findings.differ("an upstream's own event", f"{where}: want {least}, got {self.custom[i]}")
