# SPDX-License-Identifier: BSD-2-Clause
"""What the tests on the running kernel share: namespaces, traffic, entries, answers in TAP.

    import kernel as k

    def test_churn():
        with k.Netns("churn") as ns:
            ns.track()
            ...
            assert "RC2" in k.ids(k.doctor(ns))

    k.main(globals())

Every function whose name begins with test_ is a test; its first line of documentation is its
title. k.skip("reason") ends one, k.need() all of them.
"""
import ctypes
import json
import os
import pickle
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
CONNTUNE = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/src/app/conntune")
SYSCTL = "/proc/sys/net/netfilter/nf_conntrack_"
libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    pass


def skip(reason):
    """Ends the running test as skipped."""
    raise Skip(reason)


def need(*tools):
    """Ends the whole program as skipped when it cannot work here."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    why = None
    if os.geteuid() != 0:
        why = "network namespaces need root"
    elif not os.path.exists(SYSCTL + "max"):
        why = "this kernel has no nf_conntrack"
    else:
        missing = [t for t in ("ip", "nft", *tools) if not shutil.which(t)]
        if missing:
            why = ", ".join(missing) + " not installed"
    if why:
        print(f"1..0 # SKIP {why}")
        sys.exit(0)


# Commands

def run(*argv, check=True, **kw):
    """Runs a command; its output as text, or the whole result with check=False."""
    if "input" not in kw:
        kw.setdefault("stdin", subprocess.DEVNULL)
    kw.setdefault("timeout", 60)
    done = subprocess.run([str(a) for a in argv], text=True, capture_output=True, check=False, **kw)
    if not check:
        return done
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: status {done.returncode}: {done.stderr}")
    return done.stdout


def conntune(*argv, **kw):
    """Runs conntune; the result with returncode, stdout, stderr. It must never crash."""
    done = run(CONNTUNE, *argv, check=False, **kw)
    is_alive(done, argv)
    return done


def is_alive(done, argv=()):
    text = f"{done.stdout or ''}{done.stderr or ''}"
    assert done.returncode in (0, 1, 2, 3), f"{argv}: status {done.returncode}: {text[-600:]}"
    assert "Sanitizer" not in text and "runtime error" not in text, f"{argv}: {text[-2000:]}"


def as_json(done):
    try:
        return json.loads(done.stdout)
    except ValueError as e:
        raise AssertionError(f"not JSON ({e}): {done.stdout[-300:]!r} {done.stderr!r}") from e


def doctor(ns, *argv, **kw):
    """The doctor's report about a namespace (None: the initial one), parsed."""
    where = [] if ns is None else ["--netns", ns.name]
    done = conntune("doctor", *where, "--json", *argv, **kw)
    assert done.returncode in (0, 3), f"status {done.returncode}: {done.stderr}"
    report = as_json(done)
    report["status"] = done.returncode
    if ns is not None:
        # Other tests may be filling tables next door at this moment.
        report["findings"] = [f for f in report["findings"]
                              if not f.get("netns") or f["netns"].startswith(ns.name)
                              or f["id"] == "RC16"]
    return report


def findings(report, *severities):
    """Findings of a report with these severities; without: those that say something is wrong."""
    wanted = severities or ("note", "warning", "critical")
    return [f for f in report["findings"] if f["severity"] in wanted]


def ids(report, *severities):
    return sorted({f["id"] for f in findings(report, *severities)})


def finding(report, id_, *severities):
    """The finding with this id, which must be there."""
    for f in findings(report, *severities):
        if f["id"] == id_:
            return f
    brief = [(f["id"], f["severity"], f["sentence"]) for f in report["findings"]]
    raise AssertionError(f"no {id_} among\n" + "\n".join(map(str, brief)))


def number(told, key):
    """The first value called @key anywhere in a JSON document; None when absent or null."""
    if isinstance(told, dict):
        if key in told and not isinstance(told[key], (dict, list)):
            return told[key]
        told = list(told.values())
    for part in told if isinstance(told, list) else ():
        if (found := number(part, key)) is not None:
            return found
    return None


# Machine-wide values

class Limits:
    """Changes nf_conntrack_max and the buckets under the lock; restored even after SIGKILL.
    When somebody else holds the lock for a minute the test is skipped, and those after it."""
    patience_s = 60

    def __init__(self, max=None, buckets=None):
        self.argv = [os.path.join(TOOLS, "limits"), "--for", str(os.getpid()), "--wait",
                     str(Limits.patience_s)]
        self.argv += ["--max", str(max)] if max else []
        self.argv += ["--buckets", str(buckets)] if buckets else []

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, *self.argv], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            why = self.process.communicate()[1].strip()
            if "is held" in why:
                Limits.patience_s = 1
            raise Skip(why)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def wait_for(condition, seconds=10):
    """Waits until @condition() holds; its last value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def get(path):
    with open(path, encoding="ascii") as f:
        return f.read().strip()


# Namespaces

class Netns:
    """A network namespace ctt-NAME-PID with loopback up; removed at the end of the block."""

    def __init__(self, name):
        self.name = f"ctt-{name}-{os.getpid()}"
        self.path = f"/run/netns/{self.name}"

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        self.inode = os.stat(self.path).st_ino
        self.ip("link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for pid in run("ip", "netns", "pids", self.name, check=False).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run("ip", "netns", "delete", self.name, check=False)

    def ip(self, *argv):
        return run("ip", "-n", self.name, *argv)

    def run(self, *argv, **kw):
        """Runs a command inside."""
        return run("ip", "netns", "exec", self.name, *argv, **kw)

    def call(self, function, *args, wait=True):
        """Calls a function of this program inside, in a process of its own; what it returns."""
        return Inside(self, function, args).result() if wait else Inside(self, function, args)

    def sysctl(self, name, value=None):
        """Reads or writes net.netfilter.nf_conntrack_NAME of this namespace."""
        def inside():
            if value is not None:
                with open(SYSCTL + name, "w", encoding="ascii") as f:
                    f.write(str(value))
            return int(get(SYSCTL + name))
        return self.call(inside)

    def count(self):
        return self.sysctl("count")

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules.replace("}", "\n}\n"))

    def track(self):
        """Switches tracking on for both families, with a rule as every firewall has."""
        self.nft("table inet filter { chain input { type filter hook input priority 0;"
                 " ct state established,related accept; } chain output"
                 " { type filter hook output priority 0; ct state new accept; } }")

    def join(self, other, net="10.97.0"):
        """A cable to @other: we are .1, it is .2, either the other's default route."""
        self.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", other.name)
        for ns, own, far in ((self, 1, 2), (other, 2, 1)):
            ns.ip("addr", "add", f"{net}.{own}/24", "dev", "eth0")
            ns.ip("link", "set", "eth0", "up")
            ns.ip("route", "add", "default", "via", f"{net}.{far}")


class Inside:
    """A function running in a forked process inside a namespace."""

    def __init__(self, ns, function, args):
        sys.stdout.flush()
        self.fd, out = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(out)
            return
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
            with open(ns.path, encoding="ascii") as f:
                if libc.setns(f.fileno(), 0) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            with os.fdopen(out, "wb") as f:
                pickle.dump(function(*args), f)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def result(self):
        with os.fdopen(self.fd, "rb") as f:
            data = f.read()
        _, status = os.waitpid(self.pid, 0)
        assert status == 0 and data, "the process inside the namespace failed"
        return pickle.loads(data)

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def counters(ns):
    """The sums of /proc/net/stat/nf_conntrack of a namespace, by the kernel's present names."""
    def inside():
        with open("/proc/net/stat/nf_conntrack", encoding="ascii") as f:
            head, *cpus = (line.split() for line in f)
        total = {name: sum(int(cpu[i], 16) for cpu in cpus) for i, name in enumerate(head)}
        total["chaintoolong"] = total["chainlength"]
        total["clash_resolve"] = total.get("clashres", 0)
        total["error"] = total["icmp_error"]
        return total
    return ns.call(inside)


# Traffic

class Server:
    """Accepts TCP connections inside @ns at @port and closes each when its client did, or holds
    them all with hold=True; a UDP port that answers each datagram once with udp=True."""

    def __init__(self, ns, port, address="", hold=False, udp=False):
        ready, go = os.pipe()
        self.inside = ns.call(self.serve, port, address, hold, udp, go, wait=False)
        os.close(go)
        ok = os.read(ready, 1)
        os.close(ready)
        assert ok, "the server did not start"

    @staticmethod
    def serve(port, address, hold, udp, go):
        kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        more_files()
        if udp:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        else:
            s.listen(4096)
        os.write(go, b"x")
        held = []
        while True:
            if udp:
                data, peer = s.recvfrom(2048)
                s.sendto(data, peer)
                continue
            c, _ = s.accept()
            if hold:
                held.append(c)
                continue
            c.settimeout(2)
            try:
                c.recv(64)
            except OSError:
                pass
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inside.stop()


def more_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def churn(address, port, n):
    """Opens and closes @n TCP connections one after the other; how many were made. Gives up
    after three failures."""
    made = 0
    for i in range(n):
        if i - made >= 3:
            break
        try:
            with socket.create_connection((address, port), timeout=1) as s:
                s.shutdown(socket.SHUT_WR)
                s.recv(1)
            made += 1
        except OSError:
            pass
    return made


def hold(address, port, n, seconds):
    """Opens @n connections and keeps them for @seconds; with 0 the sockets, for the caller."""
    more_files()
    held = []
    for _ in range(n):
        try:
            held.append(socket.create_connection((address, port), timeout=0.3))
        except OSError:
            pass
    return held if seconds == 0 else time.sleep(seconds)


def udp_burst(address, port, n, answers=0):
    """One datagram from each of @n sockets; waits for @answers of them to be answered."""
    more_files()
    sockets = []
    for _ in range(n):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.sendto(b"question", (address, port))
        except OSError:
            pass
        sockets.append(s)
    end = time.monotonic() + 5
    for s in sockets[:answers]:
        s.settimeout(max(0.001, end - time.monotonic()))
        try:
            s.recv(64)
        except OSError:
            pass
    return len(sockets)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def tcp_packet(src, dst, sport, dport, flags, seq=1, ack=0):
    """A bare IPv4 TCP packet; flags as a number (2 SYN, 4 RST, 16 ACK, 1 FIN)."""
    a, b = socket.inet_aton(src), socket.inet_aton(dst)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 1024, 0, 0)
    total = checksum(a + b + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, a, b) + tcp


def udp_packet(src, dst, sport, dport, data):
    """An IPv4 UDP datagram without a checksum."""
    ip = tcp_packet(src, dst, sport, dport, 0)[:20]
    udp = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip[:2] + struct.pack("!H", 20 + len(udp)) + ip[4:9] + b"\x11" + ip[10:] + udp


def send_raw(packets):
    """Sends IPv4 packets as they are from inside a namespace."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    sent = 0
    for p in packets:
        try:
            s.sendto(p, (socket.inet_ntoa(p[16:20]), 0))
            sent += 1
        except OSError:
            pass
    return sent


# Entries put into the table by ctnetlink, where real ones would take too long

TCP_STATES = ("NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE "
              "SYN_SENT2").split()
SEEN_REPLY, ASSURED, CONFIRMED = 2, 4, 8


def attr(kind, data, nested=False):
    head = struct.pack("HH", len(data) + 4, kind | (0x8000 if nested else 0))
    return head + data + bytes(-len(data) % 4)


def tuple_attr(kind, src, dst, proto, sport, dport):
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    first = 3 if family == socket.AF_INET6 else 1
    ip = attr(first, socket.inet_pton(family, src)) + attr(first + 1, socket.inet_pton(family, dst))
    l4 = attr(1, bytes([proto])) + attr(2, struct.pack("!H", sport)) + attr(
        3, struct.pack("!H", dport))
    return attr(kind, attr(1, ip, True) + attr(2, l4, True), True)


def entry_message(e, flags, number=0):
    """The message of ctnetlink that creates the entry @e, or without NLM_F_CREATE deletes it."""
    proto = e.get("proto", 6)
    status = e.get("status", SEEN_REPLY | ASSURED) | CONFIRMED
    body = tuple_attr(1, e["src"], e["dst"], proto, e["sport"], e["dport"])
    if flags & 0x400:
        body += tuple_attr(2, e["dst"], e["src"], proto, e["dport"], e["sport"])
        body += attr(3, struct.pack("!I", status)) + attr(7, struct.pack("!I", e.get("timeout", 60)))
        if proto == 6:
            state = TCP_STATES.index(e.get("state", "ESTABLISHED"))
            body += attr(4, attr(1, attr(1, bytes([state])), True), True)
        if "mark" in e:
            body += attr(8, struct.pack("!I", e["mark"]))
    if "zone" in e:
        body += attr(18, struct.pack("!H", e["zone"]))
    family = socket.AF_INET6 if ":" in e["src"] else socket.AF_INET
    body = struct.pack("!BBH", family, 0, 0) + body
    kind = 0x100 if flags & 0x400 else 0x102
    return struct.pack("IHHII", len(body) + 16, kind, flags, number, 0) + body


def insert(entries):
    """Inserts entries: dicts with src, dst, sport, dport and, as wanted, proto (6), timeout (60),
    status (SEEN_REPLY | ASSURED), state ("ESTABLISHED"), mark, zone. How many went in."""
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.bind((0, 0))
    done = 0
    for n, e in enumerate(entries):
        s.send(entry_message(e, 0x1 | 0x4 | 0x400 | 0x200, n))
        answer = s.recv(4096)
        done += struct.unpack_from("i", answer, 16)[0] == 0
    return done


def flicker(entries):
    """Inserts and deletes entries over and over, for ever, as fast as the kernel takes them."""
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.bind((0, 0))
    batches = []
    for at in range(0, len(entries), 200):
        for flags in (0x1 | 0x400, 0x1):
            batches.append(b"".join(entry_message(e, flags) for e in entries[at:at + 200]))
    while True:
        for batch in batches:
            s.send(batch)


# TAP

def sweep():
    """Removes namespaces of earlier tests that were killed."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else ():
        m = re.fullmatch(r"ctt-.*-(\d+)", name)
        if m and not os.path.exists(f"/proc/{m[1]}"):
            run("ip", "netns", "delete", name, check=False)


def main(names):
    """Runs the tests of a program; status 1 when one failed."""
    def stop(signum, _):
        raise SystemExit(128 + signum)
    signal.signal(signal.SIGTERM, stop)
    sweep()
    only = sys.argv[2:]
    tests = [(n, f) for n, f in names.items() if n.startswith("test_") and callable(f)]
    tests = [(n, f) for n, f in tests if not only or n in only]
    bad = 0
    print(f"1..{len(tests)}", flush=True)
    for i, (name, test) in enumerate(tests, 1):
        title = (test.__doc__ or name).strip().split("\n")[0].rstrip(".")
        began = time.monotonic()
        try:
            test()
            print(f"ok {i} {title}")
        except Skip as e:
            print(f"ok {i} {title} # SKIP {e}")
        except Exception as e:
            bad += 1
            print(f"not ok {i} {title}")
            text = str(e) if isinstance(e, AssertionError) and str(e) else traceback.format_exc()
            frame = traceback.extract_tb(e.__traceback__)
            at = next((f for f in reversed(frame) if f.name == name), frame[-1])
            print(f"# {os.path.basename(at.filename)}:{at.lineno}: {at.line}")
            for line in text.splitlines()[:40]:
                print(f"#   {line}")
        print(f"# {time.monotonic() - began:.1f} s", flush=True)
    sys.exit(1 if bad else 0)
