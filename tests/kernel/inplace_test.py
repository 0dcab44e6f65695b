# SPDX-License-Identifier: BSD-2-Clause
"""The table read in place says what netlink says of it, entry for entry; while it changes, every
entry that is there all the time is seen once; what cannot be read in place is told."""
import collections
import json
import os
import subprocess
import threading
import time

import kernel as k
from everything import table

k.need("conntrack")
# Seconds pass between two readings.
MOVING = ("timeout", "delta_seconds", "idle_seconds")


def run(ns, *argv):
    return subprocess.run([k.CONNTUNE, *argv, "--netns", ns.name], text=True, capture_output=True,
                          check=False)


def need_in_place():
    with k.Netns("probe") as ns:
        ns.track()
        said = run(ns, "list", "--via", "bpf").stderr
        if "not read in place" in said:
            print("1..0 # SKIP", said.strip())
            raise SystemExit(0)


def entries(ns, via, *argv):
    done = run(ns, "list", "--json", "--via", via, *argv)
    assert done.returncode == 0 and not done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["is_whole"], told
    return told["entries"]


def still(entry):
    """What does not move between two readings, as a text that compares; and what moves."""
    entry = dict(entry)
    entry.pop("id", None)  # made up for netlink
    moving = {key: entry.pop(key) for key in list(entry) if key in MOVING}
    return json.dumps(entry, sort_keys=True), moving


def test_equal():
    """Every field of every entry is what netlink tells, but for the id"""
    with table() as ns:
        ours = [still(e) for e in entries(ns, "bpf")]
        theirs = [still(e) for e in entries(ns, "netlink")]
        a, b = collections.Counter(x for x, _ in ours), collections.Counter(x for x, _ in theirs)
        assert len(theirs) == ns.count() > 60, len(theirs)
        assert a == b, "\n".join(["only in place:", *sorted((a - b))[:5], "only by netlink:",
                                  *sorted((b - a))[:5]])
        for (text, x), (_, y) in zip(sorted(ours, key=lambda e: e[0]),
                                     sorted(theirs, key=lambda e: e[0])):
            assert x.keys() == y.keys(), (text, x, y)
            assert all(abs(x[key] - y[key]) <= 2 for key in x), (text, x, y)


need_in_place()
k.main(globals())
