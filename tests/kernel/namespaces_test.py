# SPDX-License-Identifier: BSD-2-Clause
"""Every namespace of the machine, each once, each with its own numbers, equal to what the kernel
tells other readers."""
import os
import re
import subprocess
import tempfile

import kernel as k

k.need("conntrack", "unshare", "mount")


def status(what):
    done = k.conntune("status", "--netns", what, "--json")
    assert done.returncode == 0, done.stderr
    return k.as_json(done)


def inodes(told):
    """All namespace inodes a document names, in order."""
    found = []
    if isinstance(told, dict):
        found = [told["inode"]] if "inode" in told else []
        told = list(told.values())
    for part in told if isinstance(told, list) else ():
        found += inodes(part)
    return found


def test_each_once():
    """three names and two processes of one namespace: listed once; an unnamed one as well"""
    second = f"/run/netns/ctt-second-{os.getpid()}"
    bind = tempfile.mktemp(prefix="ctt-bind-")
    with k.Netns("first") as ns:
        sleepers = [subprocess.Popen(["ip", "netns", "exec", ns.name, "sleep", "60"])
                    for _ in range(2)]
        unnamed = subprocess.Popen(["unshare", "-n", "sleep", "60"])
        mounted = []
        try:
            for path in (second, bind):
                open(path, "x", encoding="ascii").close()
                k.run("mount", "--bind", ns.path, path)
                mounted.append(path)
            own = os.stat("/proc/self/ns/net").st_ino
            k.wait_for(lambda: os.stat(f"/proc/{unnamed.pid}/ns/net").st_ino != own)
            lone = os.stat(f"/proc/{unnamed.pid}/ns/net").st_ino
            seen = inodes(status("all"))
        finally:
            for p in (*sleepers, unnamed):
                p.kill()
                p.wait()
            for path in mounted:
                k.run("umount", path)
                os.unlink(path)
    assert seen.count(ns.inode) == 1, (ns.inode, seen)
    assert seen.count(lone) == 1, (lone, seen)
    assert seen.count(own) == 1, (own, seen)


def test_bind_mount_only():
    """a namespace that only a bind mount keeps alive is found"""
    bind = tempfile.mktemp(prefix="ctt-bind-")
    open(bind, "x", encoding="ascii").close()
    try:
        k.run("unshare", f"--net={bind}", "true")
        inode = os.stat(bind).st_ino
        seen = inodes(status("all"))
    finally:
        k.run("umount", bind, check=False)
        os.unlink(bind)
    assert seen.count(inode) == 1, (inode, seen)


def test_names():
    """one namespace asked for by name, by process, by inode: the same answer"""
    with k.Netns("names") as ns:
        ns.track()
        ns.call(k.udp_burst, "127.0.0.1", 9, 17)
        sleeper = subprocess.Popen(["ip", "netns", "exec", ns.name, "sleep", "60"])
        try:
            k.wait_for(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino == ns.inode)
            for what in (ns.name, str(sleeper.pid), f"net:[{ns.inode}]"):
                assert k.number(status(what), "count") == 17, what
        finally:
            sleeper.kill()
            sleeper.wait()


def test_not_there():
    """a namespace that is not there: a sentence with its name, status 1"""
    for what in ("ctt-no-such", "net:[1]", "999999999", ""):
        for verb in ("status", "doctor", "list", "top"):
            done = k.conntune(verb, "--netns", what)
            assert done.returncode in (1, 2), (verb, what, done.returncode)
            assert done.stderr.startswith("conntune: ") and what in done.stderr, done.stderr


def test_count():
    """count and max equal conntrack -C and the kernel's files, also with thousands of entries"""
    with k.Netns("count") as ns:
        ns.track()
        for n in (0, 1, 3000):
            ns.call(k.udp_burst, "127.0.0.1", 9, n)
            told = status(ns.name)
            assert k.number(told, "count") == int(ns.run("conntrack", "-C")) == ns.count()
            assert k.number(told, "max") == ns.sysctl("max")


def test_statistics():
    """the counters equal conntrack -S and /proc/net/stat/nf_conntrack, summed over processors"""
    with k.Netns("stat") as ns, k.Netns("statc") as client:
        ns.join(client)
        ns.track()
        client.call(k.send_raw, [k.tcp_packet("10.97.0.2", "10.97.0.1", 1024 + i, 80, 3)
                                 for i in range(700)])
        entries = [dict(src="198.51.100.1", dst="192.0.2.1", sport=i, dport=443)
                   for i in range(1, 301)]
        assert ns.call(k.insert, entries) == 300
        told = status(ns.name)
        theirs = {}
        for name, value in re.findall(r"(\w+)=(\d+)", ns.run("conntrack", "-S")):
            theirs[name] = theirs.get(name, 0) + int(value)
        proc = k.counters(ns)
    assert theirs["invalid"] >= 700 and theirs["insert"] == 300, theirs
    for name in ("invalid", "insert_failed", "drop", "early_drop", "error", "chaintoolong"):
        assert k.number(told, name) == theirs[name] == proc[name], (name, told)


def test_own_numbers():
    """namespaces do not mix: each has its own count in one report about all"""
    with k.Netns("one") as one, k.Netns("two") as two:
        for ns, n in ((one, 11), (two, 29)):
            ns.track()
            ns.call(k.udp_burst, "127.0.0.1", 9, n)
        told = k.json.dumps(status("all"))
        for ns, n in ((one, 11), (two, 29)):
            near = [o for o in objects(k.json.loads(told)) if o.get("inode") == ns.inode]
            assert [k.number(o, "count") for o in near] == [n], near


def objects(told):
    if isinstance(told, dict):
        yield told
        told = list(told.values())
    for part in told if isinstance(told, list) else ():
        yield from objects(part)


k.main(globals())
