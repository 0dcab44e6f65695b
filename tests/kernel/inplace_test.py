# SPDX-License-Identifier: BSD-2-Clause
"""The table read in place says what netlink says of it, entry for entry; while it changes, every
entry that is there all the time is seen once; what cannot be read in place is told."""
import collections
import ctypes
import errno
import itertools
import json
import os
import platform
import re
import struct
import subprocess
import time

import kernel as k
from everything import table

k.need("conntrack")
# Seconds pass between two readings.
SOURCE = re.compile(r"10\.1\.\d+\.\d+(?=,10\.2\.0\.1,1000)")
MOVING = ("timeout_s", "age_s", "idle_s")
KEYS = ("src", "dst", "sport", "dport", "service", "proto", "state", "zone", "mark", "status",
        "family", "idle", "netns")


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
        for via in ("bpf", "bpf-probe", "bpf-old"):
            for attempt in range(3):
                begin = time.monotonic()
                ours = [still(e) for e in entries(ns, via)]
                theirs = [still(e) for e in entries(ns, "netlink")]
                # An entry may end between the two: then once more.
                if len(ours) == len(theirs) or attempt == 2:
                    break
            must_be_equal(ns, ours, theirs, 2 + time.monotonic() - begin)


def must_be_equal(ns, ours, theirs, slack_s):
    """Nothing differs but what moves, and that by no more than @slack_s."""
    a, b = collections.Counter(x for x, _ in ours), collections.Counter(x for x, _ in theirs)
    assert len(theirs) == ns.count() > 60, len(theirs)
    assert a == b, "\n".join(["only in place:", *sorted((a - b))[:5], "only by netlink:",
                              *sorted((b - a))[:5]])
    for (text, x), (_, y) in zip(sorted(ours, key=lambda e: e[0]),
                                 sorted(theirs, key=lambda e: e[0])):
        assert x.keys() == y.keys(), (text, x, y)
        assert all(abs(x[key] - y[key]) <= slack_s for key in x), (text, x, y)


class Churn:
    """A table with @n_stable entries of port 80 that stay, and others of port 81 that come and go;
    the rate, changes a second, is that of the whole block."""

    def __init__(self, n_stable):
        self.n_stable = n_stable
        self.ns = k.Netns("churn")

    def __enter__(self):
        ns = self.ns.__enter__()
        ns.track()
        n = ns.call(k.insert, [{"src": f"10.1.{i >> 8}.{i & 255}", "dst": "10.2.0.1",
                                "sport": 1000, "dport": 80, "timeout": 600}
                               for i in range(self.n_stable)])
        assert n == self.n_stable, n
        others = [[{"src": f"10.{16 + number}.{i >> 8}.{i & 255}", "dst": "10.3.0.1",
                    "sport": 2000, "dport": 81, "timeout": 600} for i in range(4000)]
                  for number in range(2)]
        self.flickers = [k.Inside(ns, k.flicker, (entries,)) for entries in others]
        self.begin, self.inserted = time.monotonic(), k.counters(ns)["insert"]
        return self

    def rate(self):
        """Each insertion has its deletion."""
        inserted = k.counters(self.ns)["insert"] - self.inserted
        return 2 * inserted / (time.monotonic() - self.begin)

    def __exit__(self, *_):
        for f in self.flickers:
            f.stop()
        self.ns.__exit__()


def test_churn():
    """While others come and go, every entry that is there all the time is shown exactly once"""
    sizes = set()
    with k.Limits(max=1 << 18), Churn(20000) as churn:
        end = time.monotonic() + 8
        while time.monotonic() < end or len(sizes) < 2:
            sizes.add(must_show_once(churn.ns, churn.n_stable))
        print(f"# {churn.rate():.0f} changes a second")


def test_churn_counted():
    """The same in the kernel's own counting: chains that changed are noticed and read again"""
    n_again = 0
    with k.Limits(max=1 << 18), Churn(20000) as churn:
        for how, n in ((("bpf",), 60), (("bpf", "--parallel"), 60), (("bpf-probe",), 20),
                       (("bpf-old",), 5)):
            for told in looks(churn.ns, "dport,proto", n, *how):
                assert told["tables"][0]["whole"], told["tables"]
                stable = [g["entries"] for g in told["top"] if g["dport"] == 80]
                assert stable == [churn.n_stable], told["top"]
                n_again += told["tables"][0]["reread"]
        rate = churn.rate()
        print(f"# {rate:.0f} changes a second, {n_again} parts read again")
    assert n_again > 0 or rate < 100000, "nothing was ever seen to change"


def looks(ns, by, n, *how):
    """What @n looks with the same programs said."""
    done = run(ns, "top", "--json", "--by", by, "--every", "0", "--times", str(n), "--via", *how)
    assert done.returncode == 0 and not done.stderr, done.stderr
    told, decoder, left = [], json.JSONDecoder(), done.stdout
    while left := left.lstrip():
        one, end = decoder.raw_decode(left)
        told.append(one)
        left = left[end:]
    assert len(told) == n, len(told)
    return told


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


def test_resized_between():
    """Looks go on after the table was resized; one that was disturbed says so"""
    n, buckets = 40000, int(k.get(k.SYSCTL + "buckets"))
    with k.Netns("moved") as ns:
        assert ns.call(k.insert, [{"src": f"10.{1 + (i >> 16)}.{i >> 8 & 255}.{i & 255}",
                                   "dst": "10.200.0.1", "sport": 1000, "dport": 80,
                                   "timeout": 600} for i in range(n)]) == n
        again = subprocess.Popen([k.CONNTUNE, "top", "--netns", ns.name, "--via", "bpf", "--json",
                                  "--by", "dport", "--every", "0.01", "--times", "200"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for size in (buckets // 2, buckets * 2):
            with k.Limits(buckets=size):
                time.sleep(0.5)
        out, _ = again.communicate(timeout=60)
        whole = 0
        for text in re.split(r"\n(?=\{)", out):
            told = json.loads(text)
            if told["tables"][0]["whole"]:
                assert told["entries"] == n, told
                whole += 1
            else:
                assert "resized" in told["tables"][0]["why_not"], told["tables"]
        assert whole >= 150, whole


def counted(ns, by, *how):
    done = run(ns, "top", "--json", "--limit", "0", "--by", by, "--via", *how)
    assert done.returncode == 0 and not done.stderr, done.stderr
    told = json.loads(done.stdout)
    source = how[0].split("-")[0]
    assert all(t["source"] == source and t["whole"] for t in told["tables"]), told["tables"]
    return told["entries"], told["groups"], told["top"]


def must_count_equally(ns, by, *ways):
    """An entry may end, or grow older by a class, between two looks: then once more."""
    for _ in range(3):
        theirs = counted(ns, by, "netlink")
        ours = [counted(ns, by, *way) for way in ways]
        if all(o == theirs for o in ours):
            return
    raise AssertionError((by, theirs, ours))


def test_top():
    """top counts the same in the kernel as by netlink, by every key and any two or three of them"""
    with table() as ns:
        for by in KEYS:
            must_count_equally(ns, by, ("bpf",), ("bpf", "--parallel"), ("bpf-probe",),
                               ("bpf-old",))
        for by in itertools.combinations(KEYS, 2):
            must_count_equally(ns, ",".join(by), ("bpf",))
        for by in list(itertools.combinations(KEYS, 3))[::5]:
            must_count_equally(ns, ",".join(by), ("bpf",))
        must_count_equally(ns, "src,dst,sport,service", ("bpf",), ("bpf-probe",), ("bpf-old",))
        # Conditions are for entries, so entries are read.
        a, b = (run(ns, "top", "--json", "--by", "dport", "--proto", "udp", "--via", via)
                for via in ("netlink", "bpf"))
        assert json.loads(a.stdout)["top"] == json.loads(b.stdout)["top"] != [], (a, b)


def test_services():
    """The service is found in the kernel as it is outside of it, whoever began"""
    ports = (0, 1, 53, 443, 32767, 32768, 40000, 65535)
    with k.Netns("services") as ns:
        n = ns.call(k.insert, [{"src": f"10.1.{a}.{b}", "dst": "10.2.0.1", "sport": ports[a],
                                "dport": ports[b]} for a in range(8) for b in range(8)])
        assert n == 64, n
        for by in ("service", "service,dport", "service,sport", "service,sport,dport",
                   "service,src", "service,proto,idle"):
            must_count_equally(ns, by, ("bpf",), ("bpf-probe",), ("bpf-old",))


def test_parallel():
    """With --parallel all processors read, ranges of buckets each, as far as they are free"""
    if os.cpu_count() < 2:
        k.skip("there is one processor")
    with k.Netns("parallel") as ns:
        ns.call(k.insert, [{"src": f"10.1.{i >> 8}.{i & 255}", "dst": "10.2.0.1", "sport": 1000,
                            "dport": 80, "timeout": 600} for i in range(20000)])
        again = subprocess.Popen([k.CONNTUNE, "top", "--netns", ns.name, "--via", "bpf",
                                  "--parallel", "--every", "0", "--times", "3000"],
                                 stdout=subprocess.DEVNULL)
        time.sleep(0.7)
        ran = [int(k.get(f"/proc/{again.pid}/task/{task}/schedstat").split()[0])
               for task in os.listdir(f"/proc/{again.pid}/task") if task != str(again.pid)]
        assert again.wait(60) == 0
        ran = sorted(ran)[-os.cpu_count():]
        print("#", "readers ran for", ", ".join(f"{ns / 1e6:.0f} ms" for ns in ran))
        assert len(ran) == min(os.cpu_count(), 8) and ran[0] > ran[-1] / 20, ran


def test_many_groups():
    """More groups than the kernel's part holds are emptied in time, and counted exactly while the
    tally holds them"""
    with k.Netns("groups") as ns:
        n = ns.call(k.insert, [{"src": f"10.{1 + (i >> 16)}.{i >> 8 & 255}.{i & 255}",
                                "dst": "10.200.0.1", "sport": 1000, "dport": 80}
                               for i in range(60000)])
        assert n == 60000, n
        for by in ("src", "src,dst,dport"):
            must_count_equally(ns, by, ("bpf",), ("bpf", "--parallel"))


def must_have_few_rights(pid):
    """The threads that read have CAP_PERFMON and CAP_BPF, and no other right."""
    readers = []
    for task in os.listdir(f"/proc/{pid}/task"):
        if task != str(pid):
            status = k.get(f"/proc/{pid}/task/{task}/status")
            readers += re.findall(r"^Cap(?:Eff|Prm):\t(\w+)", status, re.M)
    assert readers and all(int(caps, 16) == 1 << 38 | 1 << 39 for caps in readers), readers


def test_again():
    """Looks repeated with the same programs see what has changed, in text and JSON"""
    with k.Netns("again") as ns:
        def fill(first, n):
            assert ns.call(k.insert, [{"src": f"10.1.{i >> 8}.{i & 255}", "dst": "10.2.0.1",
                                       "sport": 1000, "dport": 80, "timeout": 600}
                                      for i in range(first, first + n)]) == n
        fill(0, 1000)
        again = subprocess.Popen([k.CONNTUNE, "top", "--netns", ns.name, "--via", "bpf",
                                  "--by", "dport", "--every", "0.2", "--times", "15"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        must_have_few_rights(again.pid)
        fill(1000, 500)
        out, err = again.communicate(timeout=60)
        assert again.returncode == 0 and not err, err
        told = [int(n) for n in re.findall(r"^ *80 +(\d+)", out, re.M)]
        assert len(told) == 15 and told[0] == 1000 and told[-1] == 1500, told
        assert [t["entries"] for t in looks(ns, "dport", 5, "bpf")] == [1500] * 5
        done = run(ns, "top", "--every", "x")
        assert done.returncode == 2 and "--every" in done.stderr, done


def test_all_netns():
    """All namespaces are counted in one walk, each under its own name"""
    with k.Netns("one") as one, k.Netns("two") as two:
        for ns, n in ((one, 30), (two, 50)):
            assert ns.call(k.insert, [{"src": f"10.1.0.{i}", "dst": "10.2.0.1", "sport": 1000,
                                       "dport": 80, "timeout": 600} for i in range(n)]) == n
        for by in ("netns", "dport", "netns,dport"):
            done = k.conntune("top", "--json", "--limit", "0", "--netns", "all", "--by", by,
                              "--via", "bpf")
            assert done.returncode == 0, done.stderr
            told = json.loads(done.stdout)
            tables = {t["netns"]: t for t in told["tables"]}
            assert tables[one.name]["entries"] == 30 and tables[two.name]["entries"] == 50, tables
            assert all(t["source"] == "bpf" for t in tables.values()), tables
            if by == "netns":
                groups = {g["netns"]: g["entries"] for g in told["top"]}
                assert groups[one.name] == 30 and groups[two.name] == 50, groups


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


def without_bpf(error):
    """For a child: bpf(2) fails with @error, as on a kernel that refuses or lacks something."""
    number = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
    if number is None:
        k.skip("the number of bpf(2) is not known here")
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error),
            (0x06, 0, 0, 0x7fff0000)]
    filters = b"".join(struct.pack("HBBI", *c) for c in code)
    room = ctypes.create_string_buffer(filters)

    def install():
        program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(room))
        k.libc.prctl(38, 1, 0, 0, 0)
        if k.libc.prctl(22, 2, program, 0, 0) != 0:
            os._exit(99)
    return install


def test_unable():
    """A kernel that refuses the programs (lockdown), has no type information, or is too old: one
    line says so, no address is told, and netlink is used"""
    with k.Netns("unable") as ns:
        ns.track()
        ns.call(k.insert, [{"src": "10.1.0.1", "dst": "10.2.0.1", "sport": 1, "dport": 80}])
        for error in (errno.EPERM, errno.ESRCH, errno.EINVAL, errno.E2BIG, errno.ENOSYS):
            for command in (("list", "--count"), ("top", "--by", "dport")):
                done = subprocess.run(
                    [k.CONNTUNE, *command, "--netns", ns.name, "--via", "bpf"], text=True,
                    capture_output=True, check=False, preexec_fn=without_bpf(error))
                assert done.returncode == 0 and "1" in done.stdout, (error, done)
                assert done.stderr.count("\n") == 1, (error, done.stderr)
                assert "not read in place" in done.stderr, (error, done.stderr)
                assert not re.search(r"ffff[0-9a-f]{8}", done.stderr), (error, done.stderr)


need_in_place()
k.main(globals())
