"""The load generator's record and Envoy's access log, in columns: some 60 bytes a request."""

from array import array


class Words:
    """Numbers for texts that occur often."""

    def __init__(self):
        self.numbers, self.texts = {}, []

    def number(self, text):
        n = self.numbers.get(text)
        if n is None:
            n = self.numbers[text] = len(self.texts)
            self.texts.append(text)
        return n


def column(code, n):
    return array(code, bytes(array(code).itemsize * n))


class Sent:
    """requests.tsv: what was sent, and what the client got."""

    def __init__(self, path, n, findings):
        self.n, self.shapes, self.origins = n, Words(), Words()
        self.token, self.shape, self.status = column("i", n), column("H", n), column("H", n)
        self.origin, self.grpc, self.seen = column("B", n), column("b", n), column("B", n)
        self.retry = column("I", n)  # seconds
        self.at, self.done = column("d", n), column("d", n)
        self.event = bytearray(16 * n)
        with open(path, encoding="utf-8") as file:
            for line in file:
                f = line.rstrip("\n").split("\t")
                i = int(f[0])
                if self.seen[i]:
                    findings.differ("a request was recorded twice", f[0])
                self.seen[i] = 1
                self.token[i], self.shape[i] = int(f[1]), self.shapes.number((f[2], f[3], f[4]))
                self.status[i], self.origin[i] = int(f[5]), self.origins.number(f[7])
                self.grpc[i] = int(f[8] or -1)
                if f[6]:
                    self.event[16 * i : 16 * i + 16] = bytes.fromhex(f[6])
                self.retry[i] = int(f[9] or 0)
                if f[10]:
                    findings.differ("a header that the gate should have removed", f"request {i}: {f[10]}")
                self.at[i], self.done[i] = int(f[11]) / 1e6, int(f[12]) / 1e6
        findings.count("requests sent", sum(self.seen))
        findings.count("requests answered", sum(1 for s in self.status if s))

    def event_id(self, i):
        e = self.event[16 * i : 16 * i + 16]
        return e.hex() if any(e) else ""


class Access:
    """access.log: what Envoy says of each request. end is 0 for a request that it never saw."""

    def __init__(self, path, sent, findings):
        n = sent.n
        self.words = Words()
        self.version, self.details, self.ip = column("H", n), column("H", n), column("H", n)
        self.status, self.grpc = column("H", n), column("b", n)
        self.before, self.after, self.end = column("d", n), column("d", n), column("d", n)
        self.lines = self.nameless = 0
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                self.lines += 1
                f = line.rstrip("\n").split("\t")
                if f[1] == "-":
                    # The client left before it had sent all its headers, or they can't be read.
                    self.nameless += 1
                    if f[5] != "-":
                        findings.differ("a request without its number came as far as the gate", line)
                    continue
                i = int(f[1])
                if self.end[i]:
                    findings.differ("a request has two lines in the access log", line)
                    continue
                number = self.words.number
                self.version[i], self.status[i], self.details[i] = number(f[0]), int(f[3]), number(f[4])
                self.before[i], self.after[i], self.end[i] = stamp(f[5]), stamp(f[6]), float(f[7])
                self.grpc[i], self.ip[i] = int(f[8]) if f[8] != "-" else -1, number(f[11])
                self.compare(i, f, sent, findings)
        findings.count("access log: lines", self.lines)
        findings.count("access log: lines without a request's number", self.nameless)

    def compare(self, i, f, sent, findings):
        """Holds the line against what the client knows."""
        method, target, _ = sent.shapes.texts[sent.shape[i]]
        findings.equal("access log: another request than was sent", f"request {i}", (method, target), (f[2], f[12]))
        if sent.status[i]:
            findings.equal("the client's status and the access log's differ", f"request {i}", self.status[i], sent.status[i])
            event = f[9] if f[9] != "-" else ""
            findings.equal("the client's x-gatehouse-event-id and the access log's differ", f"request {i}", event, sent.event_id(i))
        if self.end[i] < sent.at[i] - 0.001:
            findings.differ("a request ended before it was sent", f"request {i}")


def stamp(text):
    return 0.0 if text == "-" else float(text)
