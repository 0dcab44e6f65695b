# SPDX-License-Identifier: BSD-2-Clause
"""The table read in place says what netlink says of it, entry for entry; while it changes, every
entry that is there all the time is seen once; what cannot be read in place is told."""
import collections
import json
import re
import subprocess
import time

import kernel as k
from everything import table

k.need("conntrack")
# Seconds pass between two readings.
SOURCE = re.compile(r"10\.1\.\d+\.\d+(?=,10\.2\.0\.1,1000)")
MOVING = ("timeout_s", "age_s", "idle_s")


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


def test_churn():
    """While others come and go, every entry that is there all the time is shown exactly once"""
    n_stable, sizes = 20000, set()
    with k.Limits(max=1 << 18), k.Netns("churn") as ns:
        ns.track()
        n = ns.call(k.insert, [{"src": f"10.1.{i >> 8}.{i & 255}", "dst": "10.2.0.1", "sport": 1000,
                            "dport": 80, "timeout": 600} for i in range(n_stable)])
        assert n == n_stable, n
        others = [[{"src": f"10.{16 + number}.{i >> 8}.{i & 255}", "dst": "10.3.0.1",
                    "sport": 2000, "dport": 81, "timeout": 600} for i in range(4000)]
                  for number in range(2)]
        flickers = [k.Inside(ns, k.flicker, (entries,)) for entries in others]
        try:
            end = time.monotonic() + 8
            while time.monotonic() < end or len(sizes) < 2:
                sizes.add(must_show_once(ns, n_stable))
        finally:
            for f in flickers:
                f.stop()


def must_show_once(ns, n_stable):
    done = run(ns, "list", "--via", "bpf", "--form", "csv")
    assert done.returncode == 0 and not done.stderr, done.stderr
    sources = collections.Counter(SOURCE.findall(done.stdout))
    assert len(sources) == n_stable, f"{len(sources)} of {n_stable}"
    assert max(sources.values()) == 1, [s for s, n in sources.items() if n > 1][:5]
    return done.stdout.count("\n")


def test_resized():
    """A table that is resized while it is read in place is not called whole"""
    with k.Netns("resized") as ns:
        ns.call(k.insert, [{"src": f"10.{1 + (i >> 16)}.{i >> 8 & 255}.{i & 255}",
                            "dst": "10.200.0.1", "sport": 1000, "dport": 80}
                           for i in range(40000)])
        # The pipe holds less than the listing, so the reader waits in the middle.
        reader = subprocess.Popen([k.CONNTUNE, "list", "--netns", ns.name, "--form", "extended",
                                   "--via", "bpf"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert reader.stdout.read(1)
        with k.Limits(buckets=int(k.get(k.SYSCTL + "buckets")) // 2):
            _, said = reader.communicate(timeout=60)
        assert b"resized while it was read" in said, said
        assert reader.returncode == 1, reader.returncode


def test_top():
    """top counts the same either way, alone and with all processors, in one namespace and in all"""
    with table() as ns:
        for by in ("service", "src", "dport,state", "status,zone", "mark,family", "netns"):
            told = {}
            for how in (("netlink",), ("bpf",), ("bpf", "--parallel")):
                done = run(ns, "top", "--json", "--limit", "0", "--by", by, "--via", *how)
                assert done.returncode == 0 and not done.stderr, done.stderr
                told[how] = json.loads(done.stdout)
                assert told[how]["tables"][0]["source"] == how[0], told[how]["tables"]
            a, b, c = told.values()
            assert a["top"] == b["top"] == c["top"] and a["entries"] == b["entries"], (by, told)


def test_expired():
    """Entries whose time is up are left out, as netlink does, and counted"""
    with k.Netns("expired") as ns:
        ns.track()
        ns.call(k.insert, [{"src": f"10.1.0.{i}", "dst": "10.2.0.1", "sport": 1000, "dport": 80,
                            "timeout": 1} for i in range(100)])
        time.sleep(2)
        done = run(ns, "top", "--json", "--via", "bpf")
        told = json.loads(done.stdout)
        assert told["entries"] == 0, told
        assert 0 <= told["tables"][0]["expired"] <= 100, told["tables"]


def test_refused():
    """Without the rights, netlink is used, and one line says why; auto says nothing"""
    with k.Netns("refused") as ns:
        ns.track()
        ns.call(k.insert, [{"src": "10.1.0.1", "dst": "10.2.0.1", "sport": 1, "dport": 80}])
        bare = ["setpriv", "--bounding-set", "-bpf", "--inh-caps", "-bpf", k.CONNTUNE, "list",
                "--count"]
        done = ns.run(*bare, "--via", "bpf", check=False)
        assert done.returncode == 0 and done.stdout == "1\n", (done.stdout, done.stderr)
        assert done.stderr.count("\n") == 1 and "CAP_BPF" in done.stderr, done.stderr
        done = ns.run(*bare, check=False)
        assert done.stdout == "1\n" and not done.stderr, done.stderr
        done = ns.run(*bare, "--debug", check=False)
        assert "fewer than" in done.stderr, done.stderr
        done = k.conntune("list", "--via", "guess")
        assert done.returncode == 2, done


need_in_place()
k.main(globals())
