#!/usr/bin/env python3
"""Proves that the logs and the metrics of a soak agree, or says where they don't.

    checker.py DIR

DIR has, from the load generator: requests.tsv, tokens.tsv, events.jsonl (faults, and what the
issuers answered), received.log (what the audit receiver stored), config-VERSION.json, meta.json.
From Envoy: access.log, audit.log, metrics.txt.

It shares no code with Gatehouse and needs nothing but Python's standard library. It prints counts
and each kind of difference. The exit code is 0 if there is none, 1 if there is one.
"""

import glob
import json
import os
import sys

import counters
from chain import Chains
from columns import Access, Sent
from findings import Findings
from gate import Config, Judge
from keys import Keys
from verdicts import Verdicts
from windows import Windows


def main(folder):
    f = Findings()

    def path(name):
        return os.path.join(folder, name)

    with open(path("meta.json"), encoding="utf-8") as file:
        meta = json.load(file)
    with open(path("events.jsonl"), encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    configs = {}
    for name in glob.glob(path("config-*.json")):
        with open(name, encoding="utf-8") as file:
            configs[os.path.basename(name)[len("config-"):-len(".json")]] = Config(file.read())
    first = configs["v0"]
    keys = Keys(events, first)
    judge = Judge(first, keys)
    with open(path("tokens.tsv"), encoding="utf-8") as file:
        for line in file:
            number, text = line.rstrip("\n").split("\t")
            judge.add(int(number), text)
    f.count("tokens", len(judge.tokens))
    for e in events:
        if e["kind"] != "fetch":
            f.count("faults: " + e["kind"] + (" " + e["fault"] if e.get("fault") else ""))

    sent = Sent(path("requests.tsv"), meta["requests"], f)
    access = Access(path("access.log"), sent, f)
    win, expected = Windows(meta["skew_seconds"], f), counters.Expected()
    verdicts = Verdicts(configs, judge, sent, access, win, expected, f)
    chains = Chains(meta["key"], f)
    late = []
    with open(path("audit.log"), "rb") as file:
        # An audit_gap may be in the middle of a request's lines; customs come after their request.
        for line in file:
            if line != b"\n":
                e = chains.written(line.rstrip(b"\n"))
                if e and e["event_type"] in ("auth_success", "request", "request_error") and wants_custom(sent, e):
                    late.append(e)  # until the upstream's own event, which follows, is known
                elif e:
                    verdicts.event(e)
                if len(late) > 100:
                    verdicts.event(late.pop(0))
    for e in late:
        verdicts.event(e)
    with open(path("received.log"), "rb") as file:
        for line in file:
            e = chains.arrived(line.rstrip(b"\n"))
            if e:
                verdicts.event(e)
    lost = chains.lost()
    verdicts.rest()
    win.check(first.limits)
    compare_counters(path("metrics.txt"), meta, keys, verdicts, lost, access, f)
    f.print()
    return 1 if f.differences else 0


def wants_custom(sent, e):
    n = e["metadata"].get("x-soak-id")
    return n is not None and "?audit_event=" in sent.shapes.texts[sent.shape[int(n)]][1]


def compare_counters(path, meta, keys, verdicts, lost, access, f):
    got, want = counters.read(path), verdicts.expected
    low, high = verdicts.unreadable
    dropped = int(got["gatehouse_audit_dropped_total", ()])
    # An unreadable event of an upstream whose client left within the answer may count or not.
    want.add("gatehouse_audit_dropped_total", min(max(dropped, lost + low), lost + high))
    counters.compare(got, want, f)
    cache = sum(int(n) for (name, _), n in got.items() if name == "gatehouse_token_cache_total")
    counters.between("gatehouse_token_cache_total, hits and misses", verdicts.cached[0], cache, verdicts.cached[0], f)
    for provider in keys.history:
        good, maybe = (keys.fetches.get((provider, o), 0) for o in ("good", "maybe"))
        fetched = got["gatehouse_jwks_fetches_total", (("provider", provider), ("result", "success"))]
        counters.between(f"gatehouse_jwks_fetches_total{{{provider},success}}", good - 1, int(fetched), good + maybe, f)
    refused = f.counts["faults: bad update"]
    counters.between("listener_manager.lds.update_rejected", min(refused, 1), meta["stats"]["listener_manager.lds.update_rejected"], refused, f)
    total = meta["stats"]["http.gate.downstream_rq_total"]
    f.equal("Envoy's own counter", "downstream_rq_total and lines of the access log", total, access.lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
