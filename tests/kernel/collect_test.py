# SPDX-License-Identifier: BSD-2-Clause
"""A bundle tells of a namespace what the namespace itself tells; an anonymous one has the same
structure and none of the addresses."""
import ipaddress
import os
import re
import shutil
import struct
import tempfile

import kernel as k

k.need("conntrack", "iptables", "iptables-save")

CLIENTS = [f"198.51.{100 + i % 2}.{i + 1}" for i in range(24)]
SERVERS = ["203.0.113.9", "10.77.1.2", "10.77.1.3", "10.77.200.4", "127.0.0.1"]
CLIENTS6 = [f"2001:db8:5::{i + 1:x}" for i in range(6)]


class Bundle:
    """A bundle of the running machine in a folder of its own; removed at the end of the block."""

    def __init__(self, *argv):
        self.argv = argv

    def __enter__(self):
        self.above = tempfile.mkdtemp(prefix="ctt-bundle-")
        self.path = os.path.join(self.above, "b")
        done = k.conntune("collect", "--json", *self.argv, self.path, timeout=120)
        assert done.returncode == 0, done.stderr
        self.told = k.as_json(done)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.above)

    def at(self, *parts):
        return os.path.join(self.path, *parts)


def fill(ns):
    """Entries that nothing touches while they are compared, and a rule with an address."""
    for i, src in enumerate(CLIENTS):
        dst = SERVERS[i % len(SERVERS)]
        ns.run("conntrack", "-I", "-p", "udp", "-s", src, "-d", dst, "--sport", 2000 + i,
               "--dport", 53 if i % 3 else 443, "-t", 3000, "-m", i)
    for i, src in enumerate(CLIENTS6):
        ns.run("conntrack", "-I", "-p", "tcp", "-s", src, "-d", "fd00:77::1", "--sport", 3000 + i,
               "--dport", 80, "-t", 3000, "--state", "ESTABLISHED")
    ns.run("iptables", "-A", "INPUT", "-s", "198.51.100.0/24", "-m", "conntrack", "--ctstate",
           "NEW", "-m", "comment", "--comment", "for alice", "-j", "ACCEPT")


def entries(ns, *argv):
    """The lines of the table without the time that is left, which goes by."""
    done = k.conntune("list", "--netns", ns.name, "--form", "extended", *argv)
    assert done.returncode == 0, done.stderr
    return sorted(re.sub(r"^((?:\S+\s+){4})\d+ ", r"\1", line) for line in
                  done.stdout.splitlines() if not line.startswith("#"))


def told(verb, ns, *argv):
    done = k.conntune(verb, "--netns", ns.name, "--json", *argv)
    assert done.returncode in (0, 3), done.stderr
    return k.as_json(done)


def test_same_answers():
    """list, top, settings and status answer from a bundle as they do from the namespace"""
    with k.Netns("collect") as ns:
        fill(ns)
        ns.sysctl("udp_timeout", 77)
        with Bundle("--netns", ns.name) as b:
            assert b.told["entries"] >= len(CLIENTS) + len(CLIENTS6), b.told
            live, copy = entries(ns), entries(ns, "--root", b.path)
            assert len(live) == len(CLIENTS) + len(CLIENTS6), live
            assert copy == live, set(copy) ^ set(live)
            for by in ("dport", "src", "proto"):
                live, copy = (told("top", ns, "--by", by, *where)
                              for where in ((), ("--root", b.path)))
                assert str(copy).replace("recording", "netlink") == str(live), by
            timeout = f"recorded/netns/{ns.inode}/proc/sys/net/netfilter/nf_conntrack_udp_timeout"
            assert k.get(b.at(timeout)) == "77"
            live, copy = (k.number(told("status", ns, *where), "count")
                          for where in ((), ("--root", b.path)))
            assert copy == live == len(CLIENTS) + len(CLIENTS6), (copy, live)


def needles(address):
    """The spellings of an address that a bundle could hold: text, network order, /proc/net/tcp."""
    a = ipaddress.ip_address(address)
    found = {str(a).encode(), a.exploded.encode(), a.packed}
    if a.version == 4:
        found.add(b"%08X" % struct.unpack("=I", a.packed))
    return found


def test_anonymous():
    """no address of the table or the rules is left in any file, in any spelling"""
    with k.Netns("anon") as ns:
        fill(ns)
        with Bundle("--anonymize", "--netns", ns.name) as b:
            secrets = set().union(*(needles(a) for a in CLIENTS + CLIENTS6 + SERVERS[:-1]),
                                  {b"198.51.100.0", b"alice"})
            for folder, _, names in os.walk(b.path):
                for name in names:
                    path = os.path.join(folder, name)
                    if os.path.islink(path):
                        continue
                    with open(path, "rb") as f:
                        data = f.read()
                    left = [s for s in secrets if s in data]
                    assert not left, (path, left)
            rules = k.get(b.at(f"recorded/netns/{ns.inode}/commands/iptables-save"))
            net = ipaddress.ip_network(re.search(r"-s (\S+/24) ", rules).group(1))
            lines = entries(ns, "--root", b.path)
            assert len(lines) == len(CLIENTS) + len(CLIENTS6)
            compare_structure(lines, net)


def compare_structure(lines, net):
    """As many addresses and networks as before, of the same kinds; ports as they were."""
    src, dst = ({ipaddress.ip_address(re.search(rf"{end}=(\S+)", line).group(1)) for line in lines}
                for end in ("src", "dst"))
    clients = {a for a in src if a.version == 4}
    assert len(clients) == len(CLIENTS) and len(src) == len(CLIENTS) + len(CLIENTS6)
    assert len({a.packed[:3] for a in clients}) == 2
    # the rule still covers those it covered
    assert sum(a in net for a in clients) == len(CLIENTS) / 2, (net, clients)
    assert sorted(str(a) for a in dst if a.is_loopback) == ["127.0.0.1"]
    ten = [a for a in dst if a in ipaddress.ip_network("10.0.0.0/8")]
    assert len(ten) == 3 and len({a.packed[:3] for a in ten}) == 2, ten
    assert all(a not in ipaddress.ip_network("10.0.0.0/8") for a in src)
    assert sum("fd" == str(a)[:2] for a in dst if a.version == 6) == 1
    assert {int(p) for line in lines for p in re.findall(r"sport=(2\d\d\d)", line)} == \
        {2000 + i for i in range(len(CLIENTS))}


def test_same_key_same_face():
    """a copy of a copy under the same key is what the first would have been"""
    key = ("--anonymize", "--key", "00112233445566778899aabbccddeeff")
    with k.Netns("key") as ns:
        fill(ns)
        here = ("--netns", ns.name)
        with Bundle(*here) as plain, Bundle(*here, *key) as direct, \
                Bundle("--root", plain.path, *here, *key) as twice:
            one, two = (entries(ns, "--root", b.path) for b in (direct, twice))
            assert one == two and one != entries(ns)


def test_without_table():
    """--no-table leaves out entries, expectations and sockets, and keeps the numbers"""
    with k.Netns("less") as ns:
        fill(ns)
        with Bundle("--no-table", "--netns", ns.name) as b:
            here = f"recorded/netns/{ns.inode}"
            assert not os.path.exists(b.at(here, "netlink/conntrack"))
            assert not os.path.exists(b.at("proc/net/tcp"))
            assert os.path.exists(b.at(here, "netlink/conntrack-stats-cpu"))
            assert k.number(told("status", ns, "--root", b.path), "count") == \
                len(CLIENTS) + len(CLIENTS6)


def test_one_namespace():
    """--netns takes that namespace; others are listed and told to be elsewhere"""
    with k.Netns("one") as one, k.Netns("two") as two:
        one.track()
        two.track()
        with Bundle("--no-table", "--netns", one.name) as b:
            assert k.number(told("status", one, "--root", b.path), "count") == 0
            done = k.conntune("status", "--netns", two.name, "--root", b.path)
            assert "not asked for" in done.stdout + done.stderr, done
    done = k.conntune("collect", "--netns", "ctt-nowhere", "/tmp/ctt-never-made")
    assert done.returncode == 1 and "ctt-nowhere" in done.stderr, done
    assert not os.path.exists("/tmp/ctt-never-made")


def test_unprivileged():
    """without rights the rest is collected, and what is missing is said"""
    if not shutil.which("setpriv"):
        k.skip("setpriv is not installed")
    with tempfile.TemporaryDirectory(prefix="ctt-nobody-") as folder:
        os.chmod(folder, 0o777)
        tool = shutil.copy(k.CONNTUNE, folder)
        path = os.path.join(folder, "b")
        done = k.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                     "--no-new-privs", tool, "collect", "--json", path, check=False)
        k.is_alive(done)
        assert done.returncode == 0, done.stderr
        assert "root" in done.stderr, done.stderr
        missing = {m["what"]: m["why"] for m in k.as_json(done)["missing"]}
        assert "not permitted" in missing["conntrack"], missing
        assert k.get(os.path.join(path, "proc/sys/net/netfilter/nf_conntrack_count")).isdigit()


k.main(globals())
