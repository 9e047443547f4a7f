"""Which JWK Sets the gate may be using at a moment, from what the issuers noted that they answered."""

from jws import KeySet

# TELLING is how long it may take until all workers use what one has fetched: half a second between
# two looks, and what a busy machine adds.
TELLING = 4.0


class Keys:
    def __init__(self, events, config):
        self.sets = []
        numbers = {}
        self.history = {p["name"]: [(float("-inf"), None, True)] for p in config.providers.values()}
        self.stale = {p["name"]: p["jwks"] for p in config.providers.values()}
        self.fetches = {}
        given_up = {(e["provider"], e["n"]) for e in events if e["kind"] == "fetch given up"}
        for e in events:
            if e["kind"] != "fetch":
                continue
            if e["outcome"] == "good" and (e["provider"], e["n"]) in given_up:
                e["outcome"] = "maybe"
            key = e["provider"], e["outcome"]
            self.fetches[key] = self.fetches.get(key, 0) + 1
            if e["outcome"] == "bad":
                continue
            n = numbers.get(e["set"])
            if n is None:
                n = numbers[e["set"]] = len(self.sets)
                self.sets.append(KeySet(e["set"]))
            self.history[e["provider"]].append((e["t"], n, e["outcome"] == "good"))
        self.cursor = {}

    def candidates(self, provider, t0, t1):
        """Returns the sets that may be in use between two moments, each with its number; None where
        there may be none."""
        history, jwks = self.history[provider], self.stale[provider]
        i = self.cursor.get(provider, 0)
        # Moments come roughly in order: go back as far as need be, then forward.
        while i > 0 and history[i][0] + TELLING > t0:
            i -= 1
        out = {}
        for k in range(i, len(history)):
            at, n, certain = history[k]
            if at > t1:
                break
            if certain and at + TELLING <= t0:
                out.clear()
                self.cursor[provider] = k
            if n is None:
                out[-1] = None
                continue
            age, most = t1 - at, jwks["max_stale_seconds"]
            if age > most:
                out[-1] = None
            if t0 - at <= most + jwks["timeout_seconds"] + 1 + TELLING:
                out[n] = self.sets[n]
        return out.items()
