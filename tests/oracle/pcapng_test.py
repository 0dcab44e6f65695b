# SPDX-License-Identifier: BSD-2-Clause
"""Odd pcapng files, from a seed: sections of both byte orders, interfaces of several link types,
resolutions and offsets, every kind of packet block. The frames and times that conntune finds are
those that capture.py, which shares no code with it, finds.

    pcapng_test.py CONNTUNE [SEED]
"""

import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import capture
import traffic

FILES = 40
BEGIN = 1700000000
RESOLUTIONS = [None, 6, 9, 3, 0, 0x80 | 10, 0x80 | 20, 0x80 | 30, 0x80 | 32, 0x80]


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.out = b""
        for _ in range(self.random.randrange(1, 4)):
            self.section()

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        size = len(body) + 12
        self.out += struct.pack(self.order + "II", kind, size) + body + struct.pack(
            self.order + "I", size)

    def option(self, code, value):
        return struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self):
        self.order = self.random.choice("<>")
        self.block(0x0a0d0d0a, struct.pack(self.order + "IHHq", 0x1a2b3c4d, 1, 0, -1)
                   + self.random.choice([b"", self.option(1, b"hello") + self.option(0, b"")]))
        interfaces = [self.interface(n) for n in range(self.random.randrange(1, 4))]
        for n in range(self.random.randrange(12)):
            if self.random.random() < .15:
                self.block(self.random.choice([4, 5, 10, 0xbad]), bytes(self.random.randrange(20)))
            self.packet(interfaces, n)

    def interface(self, n):
        link, resolution = self.random.choice([101, 1, 228]), self.random.choice(RESOLUTIONS)
        offset, snap = self.random.choice([None, 0, 3600, -86400]), self.random.choice([0, 65535, 64])
        options = self.option(2, b"eth%d" % n) if self.random.random() < .5 else b""
        if resolution is not None:
            options += self.option(9, bytes([resolution]))
        if offset is not None:
            options += self.option(14, struct.pack(self.order + "q", offset))
        self.block(1, struct.pack(self.order + "HHI", link, 0, snap) + options
                   + (self.option(0, b"") if options else b""))
        return link, 6 if resolution is None else resolution, offset or 0, snap

    def packet(self, interfaces, n):
        number = self.random.randrange(len(interfaces))
        link, resolution, offset, _ = interfaces[number]
        data = traffic.ip("10.0.0.1", "10.0.0.2", 17, struct.pack(">HHHH", 5000 + n, 53, 12, 0)
                          + b"abcd")
        data = bytes(12) + b"\x08\x00" + data if link == 1 else data
        per_second = 1 << (resolution & 127) if resolution & 128 else 10 ** resolution
        ticks = int((BEGIN - offset + self.random.random() * 100) * per_second) % (1 << 64)
        high, low, size = ticks >> 32, ticks & 0xffffffff, len(data)
        kind = self.random.choices([6, 2, 3], [70, 15, 15])[0]
        if kind == 6:
            self.block(6, struct.pack(self.order + "IIIII", number, high, low, size, size + 5)
                       + data + bytes(-size % 4) + self.random.choice([b"", self.option(1, b"c")]))
        elif kind == 2:
            self.block(2, struct.pack(self.order + "HHIIII", number, 0, high, low, size, size) + data)
        else:
            self.block(3, struct.pack(self.order + "I", size) + data[:interfaces[0][3] or size])


def expected(path):
    """Numbers and times since the first, which never run backwards."""
    frames = [(n, f.ts_ns) for n, f in enumerate(capture.read_frames(path), 1)
              if len(capture.to_l3(f)[0] or b"") >= 20]
    latest, out = 0, []
    for n, at in frames:
        latest = max(latest, at)
        out.append((n, (latest - frames[0][1]) / 1e9))
    return out


def found(conntune, path):
    done = subprocess.run([conntune, "replay", "--packets", path], text=True, capture_output=True,
                          check=True)
    rows = [row.split("\t") for row in done.stdout.splitlines()[1:]]
    return [(int(row[0]), float(row[1])) for row in rows]


def main(conntune, seed=1):
    print("1..1")
    for n in range(int(seed), int(seed) + FILES):
        with tempfile.TemporaryDirectory(prefix="ctt-pcapng-") as tmp:
            path = Path(tmp) / "odd.pcapng"
            path.write_bytes(Writer(n).out)
            want, got = expected(path), found(conntune, path)
        same = len(want) == len(got) and all(
            a[0] == b[0] and abs(a[1] - b[1]) < 3e-6 for a, b in zip(want, got))
        if not same:
            print(f"not ok 1 odd pcapng files # seed {n}\n# wanted {want}\n# found {got}")
            return 1
    print("ok 1 odd pcapng files")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
