"""The hash chains of the audit log, as docs/audit.md defines them."""

import base64
import json
import re
from array import array

from jws import mac

CHAIN = re.compile(rb',"chain":\{"key_id":"soak","stream":"([0-9a-f]+)","seq":(\d+),"prev":"([0-9a-f]{64})","mac":"([0-9a-f]{64})"\}\}$')


class Stream:
    """A stream of lines: what each of its lines begins with in the file (its mac), and what the receiver got."""

    def __init__(self):
        self.prev = bytes(32)
        self.macs = array("Q")  # the first 8 bytes of each line's mac
        self.received = bytearray()  # by seq
        self.last = -1  # the highest seq received
        self.gaps = []  # (first, last, dropped) that audit_gap events told


def short(mac_hex):
    return int(mac_hex[:16], 16)


class Chains:
    def __init__(self, key, findings):
        self.key, self.findings = base64.b64decode(key), findings
        self.streams = {}

    def written(self, line):
        """Takes the next line of the file; returns the event, or None if it isn't one."""
        m = CHAIN.search(line)
        if not m:
            self.findings.differ("a line of the audit log without a chain", line[:200])
            return None
        stream, seq, prev, mac_ = m[1], int(m[2]), m[3], m[4].decode()
        s = self.streams.setdefault(stream, Stream())
        where = f"stream {stream.decode()} seq {seq}"
        if seq != len(s.macs):
            self.findings.differ("chain: lines are missing or out of order", f"{where}: want seq {len(s.macs)}")
            while len(s.macs) < seq:
                s.macs.append(0)
        elif bytes.fromhex(prev.decode()) != s.prev:
            self.findings.differ("chain: prev isn't the mac before", where)
        want = mac(self.key, bytes.fromhex(prev.decode()), line[: m.start() + 1])
        if want.hex() != mac_:
            self.findings.differ("chain: the mac is wrong", where)
        if seq == len(s.macs):
            s.macs.append(short(mac_))
        s.prev = bytes.fromhex(mac_)
        return json.loads(line)

    def arrived(self, line):
        """Takes a line of the receiver. Returns its event if the file lacks it, else None."""
        m = CHAIN.search(line)
        if not m:
            self.findings.differ("a line of the receiver without a chain", line[:200])
            return None
        stream, seq, mac_ = m[1], int(m[2]), m[4].decode()
        s = self.streams.setdefault(stream, Stream())
        if seq < len(s.received) and s.received[seq]:
            self.findings.count("receiver: repeats")
            return None
        if seq < s.last:
            self.findings.differ("receiver: out of order", f"stream {stream.decode()} seq {seq} after {s.last}")
        s.last = max(s.last, seq)
        s.received.extend(bytes(max(0, seq + 1 - len(s.received))))
        s.received[seq] = 1
        self.findings.count("receiver: events")
        event = None
        if b'"event_type":"audit_gap"' in line:
            event = json.loads(line)
            told = event["metadata"]
            s.gaps.append((told["from_seq"], told["to_seq"], told["dropped"]))
        if seq < len(s.macs):
            if s.macs[seq] != short(mac_):
                self.findings.differ("receiver: another line than the file's", f"stream {stream.decode()} seq {seq}")
            return None
        # Access loggers write at a request's end only: an audit_gap that no request follows is the
        # receiver's alone.
        if mac(self.key, bytes.fromhex(m[3].decode()), line[: m.start() + 1]).hex() != mac_:
            self.findings.differ("receiver: the mac is wrong", f"stream {stream.decode()} seq {seq}")
        if event is None:
            self.findings.differ("receiver: an event that the file lacks", line[:300])
        return event

    def lost(self):
        """Returns how many lines the receiver lacks. Each must be told by an audit_gap."""
        f, total = self.findings, 0
        for name, s in self.streams.items():
            written = max(len(s.macs), len(s.received))
            have = s.received.count(1)
            missing = written - have
            total += missing
            tail = written - len(s.received)
            told = sum(g[2] for g in s.gaps)
            covered = bytearray(written)
            for first, last, _ in s.gaps:
                covered[first : last + 1] = b"\x01" * (last + 1 - first)
            untold = sum(1 for seq in range(len(s.received)) if not s.received[seq] and not covered[seq])
            wrong = sum(1 for seq in range(len(s.received)) if s.received[seq] and covered[seq])
            where = f"stream {name.decode()} of {written} lines"
            f.equal("receiver: lines are missing that no audit_gap tells", where, 0, untold)
            f.equal("receiver: lines are there that an audit_gap says are lost", where, 0, wrong)
            f.equal("receiver: an audit_gap's dropped", where, told, missing - tail)
            f.equal("receiver: lines are missing at the end of a stream", where, 0, tail)
            f.count("receiver: lost, told by audit_gap", missing - tail)
            f.count("chain: streams")
            f.count("chain: lines", written)
        return total
