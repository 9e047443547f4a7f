"""Prometheus's text format, and the sums that each counter must be equal to."""

import re
from collections import Counter

LINE = re.compile(r"^(gatehouse_\w+?)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read(path):
    """Returns the samples of Gatehouse: (name, sorted label values without Envoy's own) to value."""
    out = Counter()
    with open(path, encoding="utf-8") as file:
        for line in file:
            m = LINE.match(line)
            if m:
                labels = {k: v for k, v in LABEL.findall(m[2] or "") if not k.startswith("envoy_")}
                out[m[1], tuple(sorted(labels.items()))] += float(m[3])
    return out


def label(text):
    return re.sub(r"[^a-z0-9_]", "_", text.lower())


class Expected:
    """What the counters must say."""

    def __init__(self):
        self.counts = Counter()

    def add(self, name, n=1, **labels):
        self.counts[name, tuple(sorted((k, label(v)) for k, v in labels.items()))] += n


# COMPARED are the counters that are compared sample by sample: one that is missing is 0.
COMPARED = [
    "gatehouse_requests_total", "gatehouse_callers_total", "gatehouse_tokens_validated_total", "gatehouse_tokens_failed_total",
    "gatehouse_rate_limit_decisions_total", "gatehouse_audit_events_total", "gatehouse_audit_dropped_total",
    "gatehouse_rate_limit_evictions_total", "gatehouse_validation_duration_us_count",
]


def compare(got, want, findings):
    for key in sorted(set(got) | set(want.counts), key=str):
        if key[0] in COMPARED:
            name = key[0] + "{" + ",".join(f"{k}={v}" for k, v in key[1]) + "}"
            findings.count("counters: compared")
            findings.equal("a counter is off", name, want.counts[key], int(got[key]))


def between(name, low, got, high, findings):
    findings.count("counters: compared")
    if not low <= got <= high:
        findings.differ("a counter is off", f"{name}: want {low}..{high}, got {got}")
