"""What the checker counts, and what it can't explain."""

from collections import Counter

SHOWN = 5  # differences of a kind that are printed; all are counted


class Findings:
    """Counts, and differences by kind."""

    def __init__(self):
        self.counts = Counter()
        self.differences = Counter()
        self.examples = {}

    def count(self, what, n=1):
        self.counts[what] += n

    def differ(self, kind, text):
        self.differences[kind] += 1
        shown = self.examples.setdefault(kind, [])
        if len(shown) < SHOWN:
            shown.append(text)

    def equal(self, kind, what, want, got):
        if want != got:
            self.differ(kind, f"{what}: want {want}, got {got}")

    def print(self):
        for what, n in sorted(self.counts.items()):
            print(f"{n:>12,}  {what}")
        print(f"{sum(self.differences.values()):>12,}  UNEXPLAINED DIFFERENCES")
        for kind, n in sorted(self.differences.items()):
            print(f"{n:>12,}  {kind}")
            for text in self.examples[kind]:
                print(f"{'':>14}{text}")
