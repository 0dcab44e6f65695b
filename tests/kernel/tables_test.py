# SPDX-License-Identifier: BSD-2-Clause
"""One table, several readers: what conntune lists of a table with everything in it is what
conntrack(8) and /proc say, entry for entry; recorded or live, filtered here or in the kernel."""
import collections
import json
import os
import re
import socket
import struct
import subprocess
import tempfile

import kernel as k
from everything import table

k.need("conntrack")

SECONDS = re.compile(r"(?P<before>^(?:ipv[46] +\d+ )?\S+ +\d+ |-t |delta-time=)(?P<s>\d+)(?= |$)")


def by_entry(text):
    """{line without what moves: the seconds that were taken out}, of a listing."""
    lines = collections.defaultdict(list)
    for line in text.splitlines():
        seconds = [int(m["s"]) for m in SECONDS.finditer(line)]
        lines[SECONDS.sub(r"\g<before>N", line).strip()].append(seconds)
    return lines


def is_close(ours, theirs):
    """Equal but for seconds that passed between two readings; a wide clock is no entry's."""
    return len(ours) == len(theirs) and all(abs(a - b) <= 2 for a, b in zip(ours, theirs))


def must_be_equal(ours, theirs, least=1):
    a, b = by_entry(ours), by_entry(theirs)
    only_a, only_b = sorted(a.keys() - b.keys()), sorted(b.keys() - a.keys())
    assert not only_a and not only_b, "\n".join(["only ours:", *only_a[:5], "only theirs:",
                                                 *only_b[:5]])
    assert sum(map(len, b.values())) >= least, "the table is too small to compare"
    for line, times in b.items():
        assert len(times) == len(a[line]), f"{len(a[line])} of ours, {len(times)}: {line}"
        for x, y in zip(sorted(a[line]), sorted(times)):
            assert is_close(x, y), f"seconds {x} and {y}: {line}"


def listed(ns, *argv):
    done = ns.run(k.CONNTUNE, "list", *argv, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def conntrack(ns, *argv):
    return ns.run("conntrack", "-L", *argv)


def dump_of(ns):
    """The table's datagrams as recordings keep them, by a reader of its own."""
    def inside():
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        s.bind((0, 0))
        s.send(struct.pack("=IHHIIBBH", 20, 0x101, 0x301, 1, 0, 0, 0, 0))
        out = b""
        while True:
            data = s.recv(65536)
            out += struct.pack("!I", len(data)) + data
            at = 0
            while at < len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == 3:
                    return out
                at += (length + 3) & ~3
    return ns.call(inside)


def record(ns, folder):
    path = os.path.join(folder, "dump")
    with open(path, "wb") as f:
        f.write(dump_of(ns))
    return path


def test_forms_of_conntrack():
    """list --form conntrack, extended, save: what conntrack -L prints, entry for entry"""
    with table() as ns:
        n = ns.count()
        must_be_equal(listed(ns, "--form", "extended"), conntrack(ns, "-o", "extended"), n)
        must_be_equal(listed(ns, "--form", "conntrack"), conntrack(ns), n)
        must_be_equal(listed(ns, "--form", "save"), conntrack(ns, "-o", "save"), n)
        must_be_equal(listed(ns, "--form", "extended", "--show", "id"),
                      conntrack(ns, "-o", "extended,id"), n)
        for family in ("ipv4", "ipv6"):
            must_be_equal(listed(ns, "--form", "extended", "--family", family),
                          conntrack(ns, "-f", family, "-o", "extended"))


def test_form_of_proc():
    """list --form proc: what /proc/net/nf_conntrack says, by its text and by netlink"""
    with table() as ns:
        theirs = ns.run("cat", "/proc/net/nf_conntrack")
        must_be_equal(listed(ns, "--form", "proc"), theirs, ns.count())
        # Without GRE, whose timeouts only /proc tells, these come by netlink.
        without = "".join(line + "\n" for line in theirs.splitlines() if " gre " not in line)
        must_be_equal(listed(ns, "--form", "proc", "--proto", "!gre"), without)


def test_recordings():
    """A recorded dump lists as the live table does"""
    with table() as ns, tempfile.TemporaryDirectory() as folder:
        path = record(ns, folder)
        for form in ("conntrack", "extended", "save"):
            live = re.sub(r" delta-time=\d+", "", listed(ns, "--form", form))
            done = k.conntune("list", "--from", path, "--form", form)
            assert done.returncode == 0 and not done.stderr, done.stderr
            must_be_equal(done.stdout, live, ns.count())


def test_bundles():
    """A bundle made by collect lists as the live table does, elsewhere too"""
    with table() as ns, tempfile.TemporaryDirectory() as folder:
        bundle = os.path.join(folder, "bundle")
        ns.run(k.CONNTUNE, "collect", bundle)
        for form in ("extended", "save"):
            done = k.conntune("list", "--root", bundle, "--form", form)
            assert done.returncode == 0 and not done.stderr, done.stderr
            must_be_equal(done.stdout, listed(ns, "--form", form), ns.count())


def test_filters_in_the_kernel():
    """A condition chooses the same entries in the kernel and after a recording"""
    conditions = [
        "--family ipv6", "--proto tcp", "--proto udp --dport 53", "--src 10.0.1.2",
        "--src 10.0.0.0/8", "--dst fd00:2::2", "--sport 1000", "--status assured",
        "--status !assured", "--status seen_reply,!assured", "--zone 0", "--zone 5", "--zone 6",
        "--zone 7", "--mark 1", "--mark 0/0xff", "--mark 0xffffffff", "--state ESTABLISHED",
        "--proto sctp --dport 9", "--reply-src 192.0.2.9", "--reply-dport 1234 --proto udp",
        "--family ipv4 --proto tcp --dport 80 --src 10.0.1.2 --status src_nat",
        "--port 80 --family ipv6", "--addr 192.0.2.1", "--proto !tcp", "--proto icmp",
    ]
    with table() as ns, tempfile.TemporaryDirectory() as folder:
        path = record(ns, folder)
        for condition in conditions:
            argv = condition.split() + ["--form", "extended"]
            live = re.sub(r" delta-time=\d+", "", listed(ns, *argv))
            late = k.conntune("list", "--from", path, *argv).stdout
            try:
                must_be_equal(live, late)
            except AssertionError as e:
                raise AssertionError(f"{condition}: {e}") from e


def counted(ns, *argv):
    done = k.conntune("top", "--netns", ns.name, "--json", "--limit", "0", *argv)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert all(t["whole"] for t in told["tables"]), told["tables"]
    return told


def test_top():
    """top counts what list shows; two dumps side by side count the same as one"""
    with table() as ns:
        told = counted(ns, "--by", "proto,dport,status")
        beside = counted(ns, "--by", "proto,dport,status", "--parallel")
        assert told["top"] == beside["top"] and told["entries"] == ns.count(), (told, beside)
        protos = collections.Counter(line.split()[2] for line in
                                     ns.run("cat", "/proc/net/nf_conntrack").splitlines())
        by_proto = {g["proto"]: g["entries"] for g in counted(ns, "--by", "proto")["top"]}
        for name in ("tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "udplite"):
            assert by_proto[name] == protos[name], (name, by_proto, protos)
        assert {g["zone"] for g in counted(ns, "--by", "zone")["top"]} >= {0, 5, 6, 7, 65535}
        assert {g["mark"] for g in counted(ns, "--by", "mark")["top"]} >= {0, 1, 0xffffffff}
        for condition in ("--dst fd00:2::2", "--proto udp --dport 53", "--status !assured"):
            n = listed(ns, "--form", "extended", *condition.split()).count("\n")
            chosen = counted(ns, "--by", "family,proto", *condition.split())
            assert n > 0 and sum(g["entries"] for g in chosen["top"]) == n, (condition, chosen)
        by_netns = counted(ns, "--by", "netns")["top"]
        assert [(g["netns"], g["entries"]) for g in by_netns] == [(ns.name, ns.count())]


def test_top_of_a_listing():
    """top --from reads what conntrack and /proc print, and a recording"""
    with table() as ns, tempfile.TemporaryDirectory() as folder:
        live = counted(ns, "--by", "service")
        texts = {"extended": conntrack(ns, "-o", "extended"), "plain": conntrack(ns),
                 "proc": ns.run("cat", "/proc/net/nf_conntrack")}
        paths = [record(ns, folder)]
        for name, text in texts.items():
            paths.append(os.path.join(folder, name))
            with open(paths[-1], "w", encoding="ascii") as f:
                f.write(text)
        for path in paths:
            done = k.conntune("top", "--from", path, "--by", "service", "--json", "--limit", "0")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["top"] == live["top"], path


def test_resized_while_read():
    """A table that is resized while it is listed is not called whole, though the kernel is silent"""
    with k.Netns("resized") as ns:
        ns.call(k.insert, [{"src": f"10.1.{i >> 8}.{i & 255}", "dst": "10.2.0.1", "sport": 1000,
                            "dport": 80} for i in range(8000)])
        # The pipe holds less than the listing, so the reader waits in the middle of its dump.
        reader = subprocess.Popen([k.CONNTUNE, "list", "--netns", ns.name, "--form", "extended"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert reader.stdout.read(1)
        with k.Limits(buckets=int(k.get(k.SYSCTL + "buckets")) // 2):
            _, said = reader.communicate(timeout=60)
        assert b"resized while it was read" in said, said
        assert reader.returncode == 1, reader.returncode


k.main(globals())
