"""Sliding windows, exactly, as far as the log tells moments.

The moment of a charge isn't known, only its bracket: Envoy's times right before and right after it
called the filter. A window certainly held what was admitted in it wherever in its bracket each
charge fell. It possibly held what can have been.
"""

from array import array
from bisect import bisect_left, bisect_right

ADMITTED, REFUSED, WITHDRAWN = 1, 0, 2


class Windows:
    def __init__(self, skew, findings):
        self.slack = skew + 2e-6  # the log's times are in microseconds
        self.findings = findings
        self.charges = {}
        self.limits = {}

    def add(self, limit, key, earliest, latest, cost, state, retry=0):
        """Notes a charge. retry is the Retry-After of a refusal, in seconds; 0 if the client saw none."""
        c = self.charges.get(key)
        if c is None:
            c = self.charges[key] = (array("d"), array("d"), array("I"), array("b"), array("I"))
            self.limits[limit.name] = limit
        c[0].append(earliest)
        c[1].append(latest)
        c[2].append(cost)
        c[3].append(state)
        c[4].append(retry)

    def check(self, limits):
        """Looks at each key of each limit; limits are by index."""
        for key in sorted(self.charges, key=str):
            limit = limits[key[0]]
            if limit.shadow:
                continue
            columns = self.charges[key]
            for most, seconds in limit.windows:
                self.exceeded(limit, key, columns, most, seconds)
            self.needless(limit, key, columns)

    def select(self, columns, state):
        rows = [i for i in range(len(columns[0])) if columns[3][i] == state]
        return [(columns[0][i] - self.slack, columns[1][i] + self.slack, columns[2][i], columns[4][i]) for i in rows]

    def exceeded(self, limit, key, columns, most, seconds):
        f, what = self.findings, f"windows of {limit.name}, {most} in {seconds} s"
        rows = self.select(columns, ADMITTED)
        starts, ends = Load(rows, 0), Load(rows, 1)
        for earliest, latest, _, _ in rows:
            f.count(what + ": looked at")
            # Certainly in one window with the charge that begins at earliest: what ended before
            # earliest + seconds, less what began before it.
            certain = ends.before(earliest + seconds) - starts.before(earliest)
            if certain > most:
                f.differ("a window was exceeded", f"{limit.name} {key[1:]}: {certain} in {seconds} s from {earliest:.6f}, at most {most}")
            elif certain == most:
                f.count(what + ": certainly full")
            if starts.before(latest + seconds) - ends.upto(earliest) > most >= certain:
                f.count(what + ": the brackets don't tell whether more than full")

    def needless(self, limit, key, columns):
        """Finds refusals at moments when all windows had room."""
        f = self.findings
        admitted, withdrawn = self.select(columns, ADMITTED), self.select(columns, WITHDRAWN)
        refused = self.select(columns, REFUSED)
        starts, ends = Load(admitted, 0), Load(admitted, 1)
        other_starts, other_ends = Load(withdrawn, 0), Load(withdrawn, 1)
        for earliest, latest, cost, retry in refused:
            f.count("refusals by a limit: looked at")
            if retry:
                self.too_early(limit, key, starts, ends, earliest, latest, cost, retry)
            explained = False
            for most, seconds in limit.windows:
                # Above 512 the state may be compacted: a charge may weigh longer by 1/512.
                length = seconds * (1 + 1 / 512) if most > 512 else seconds
                held = starts.before(latest) - ends.upto(earliest - length)
                if held + cost > most:
                    break
                if held + cost + other_starts.before(latest) - other_ends.upto(earliest) > most:
                    explained = True
            else:
                if explained:
                    f.count("refusals by a limit: explained by a charge that was withdrawn")
                else:
                    f.differ("a refusal that no window needed", f"{limit.name} {key[1:]} at {earliest:.6f}")

    def too_early(self, limit, key, starts, ends, earliest, latest, cost, retry):
        """Looks whether a client that obeys Retry-After finds room, if nothing else is admitted."""
        f = self.findings
        f.count("Retry-After: looked at")
        for most, seconds in limit.windows:
            # What was admitted before the refusal and still weighs when the time is up, for certain.
            left = ends.before(earliest) - starts.upto(latest + retry - seconds)
            if left + cost > most:
                f.differ("Retry-After is too short", f"{limit.name} {key[1:]} at {earliest:.6f}: {retry} s, {left} in {seconds} s are left")


class Load:
    """The cost up to each moment."""

    def __init__(self, rows, column):
        rows = sorted((r[column], r[2]) for r in rows)
        self.at = [r[0] for r in rows]
        self.sums = [0]
        for r in rows:
            self.sums.append(self.sums[-1] + r[1])

    def before(self, t):
        return self.sums[bisect_left(self.at, t)]

    def upto(self, t):
        return self.sums[bisect_right(self.at, t)]
