# SPDX-License-Identifier: BSD-2-Clause
"""Differential oracle: what does the running kernel's connection tracking make
of a capture, under a rule set and a set of sysctls?  See README.md.

  oracle.py run    --pcap F [options] --out DIR     run once, write results
  oracle.py record CASEDIR...                       run CASEDIR/case.json, write CASEDIR/expected/
  oracle.py verify CASEDIR...                       run again, compare with CASEDIR/expected/
  oracle.py rebuild CASEDIR OUT.pcapng              the packets as the kernel saw them (needs no root)
"""
import argparse
import ctypes
import fcntl
import hashlib
import ipaddress
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import canon
import capture
import netlink

GROUP = 77
FORBIDDEN = ("nf_conntrack_max", "nf_conntrack_buckets", "nf_conntrack_expect_max", "nf_log_all_netns")

# Probe: a separate nftables table that only counts and reports.  It also is
# what switches connection tracking on in an otherwise empty namespace.
PROBE = """
table inet oracle_probe {
  chain quiet { type filter hook output priority -450; policy accept; %(quiet)s; }
  chain pre   { type filter hook prerouting  priority -195; policy accept; %(ct)s; }
  chain out   { type filter hook output      priority -195; policy accept; %(ct)s; }
  chain passed { type filter hook forward     priority 290;  policy accept; %(fwd)s; }
  chain local  { type filter hook input       priority 290;  policy accept; %(inp)s; }
}
"""


def log_rule(match, text):
    return '%s log prefix "%s" group %d queue-threshold 1 accept' % (match, text, GROUP)


def probe_text(answers):
    ct = "; ".join([
        log_rule("ct state untracked", "c:UNTRACKED"),
        log_rule("ct state invalid", "c:INVALID"),
        log_rule("ct state new ct direction original", "c:NEW/o"),
        log_rule("ct state new ct direction reply", "c:NEW/r"),
        log_rule("ct state established ct direction original", "c:ESTABLISHED/o"),
        log_rule("ct state established ct direction reply", "c:ESTABLISHED/r"),
        log_rule("ct state related ct direction original", "c:RELATED/o"),
        log_rule("ct state related ct direction reply", "c:RELATED/r"),
        log_rule("", "c:?"),
    ])
    quiet = "accept" if answers == "allow" else "meta skuid 0 accept; drop"
    return PROBE % {"ct": ct, "quiet": quiet, "fwd": log_rule("", "f:F"), "inp": log_rule("", "f:L")}


def sh(*cmd, stdin=None, check=True, env=None):
    r = subprocess.run(cmd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       env=dict(os.environ, XTABLES_LOCKFILE="/dev/shm/oracle-xt.%d" % os.getpid(), **(env or {})))
    if check and r.returncode:
        raise SystemExit("command failed: %s\n%s" % (" ".join(cmd), r.stderr.strip()))
    return r.stdout


def sysctl_write(key, val, strict=True):
    p = "/proc/sys/" + key.strip().replace("/", "\0").replace(".", "/").replace("\0", ".")
    try:
        with open(p, "w") as f:
            f.write(str(val).strip())
    except OSError as e:
        if strict:
            raise SystemExit("sysctl %s: %s" % (key, e.strerror))


def read_sysctl_file(path):
    out = []
    for ln in open(path):
        ln = ln.split("#")[0].strip()
        if not ln or ln[0] == ";":
            continue
        if ln[0] == "-":
            ln = ln[1:]
        k, v = ln.split("=", 1)
        k = k.strip()
        if k.rsplit(".", 1)[-1] in FORBIDDEN:
            raise SystemExit("%s is machine-wide, not allowed in a case" % k)
        out.append((k, v.strip()))
    return out


class Tun:
    def __init__(self, name):
        self.name = name
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
        sh("ip", "link", "set", "dev", name, "addrgenmode", "none")
        sh("ip", "link", "set", "dev", name, "mtu", "65535", "txqueuelen", "10000", "up")

    def send(self, pkt):
        try:
            os.write(self.fd, pkt)
            return True
        except OSError:
            return False

    def read(self):
        out = []
        while True:
            try:
                out.append(os.read(self.fd, 70000))
            except BlockingIOError:
                return out


class Raw:
    """Locally originated packets, sent with their own IP header."""

    def __init__(self):
        self.s4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.s6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.s4.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(self, pkt):
        a = capture.addresses(pkt)
        try:
            if pkt[0] >> 4 == 4:
                self.s4.sendto(pkt, (a[1], 0))
            else:
                self.s6.sendto(pkt, (a[1], 0))
            return True
        except OSError:
            return False


def is_group(addr):
    a = ipaddress.ip_address(addr)
    return a.is_multicast or a.is_unspecified or addr == "255.255.255.255"


def guess_inside(pkts):
    """Initiators inside.  Pairs of hosts where somebody sent a bare SYN decide
    first, the rest in order of appearance (first speaker inside)."""
    first, syn = {}, {}
    for p in pkts:
        a = capture.addresses(p)
        if a is None or is_group(a[0]) or is_group(a[1]) or a[0] == a[1]:
            continue
        pair = (min(a), max(a))
        first.setdefault(pair, a)
        f = capture.flow(p)
        if f and f[0] == 6 and len(p) > f[5] + 13 and p[f[5] + 13] & 0x17 == 2:
            syn.setdefault(pair, a)
    side = {}
    for s, d in list(syn.values()) + [v for k, v in first.items() if k not in syn]:
        if s not in side and d not in side:
            side[s], side[d] = "in", "out"
        elif s not in side:
            side[s] = "out" if side[d] == "in" else "in"
        elif d not in side:
            side[d] = "out" if side[s] == "in" else "in"
    return [h for h, v in side.items() if v == "in"]


def guess_local(pkts):
    n = {}
    for p in pkts:
        a = capture.addresses(p)
        for x in set(a or ()):
            if not is_group(x):
                n[x] = n.get(x, 0) + 1
    return [max(n, key=n.get)] if n else []


def load_packets(o):
    """-> list of (frame number, original ts, l3 bytes), skip reasons, notes"""
    out, skipped, links = [], {}, {}
    notes = {"ttl_raised": 0, "padded": 0, "truncated": 0, "trimmed": 0}
    for n, fr in enumerate(capture.read_frames(o.pcap), 1):
        links[capture.LINK_NAMES.get(fr.link, str(fr.link))] = links.get(capture.LINK_NAMES.get(fr.link, str(fr.link)), 0) + 1
        d, v, l2 = capture.to_l3(fr)
        if d is None:
            skipped[v] = skipped.get(v, 0) + 1
            continue
        if len(d) < 20:
            skipped["ip-shorter-than-20"] = skipped.get("ip-shorter-than-20", 0) + 1
            continue
        tot = struct.unpack_from(">H", d, 2)[0] if v == 4 else 40 + (struct.unpack_from(">H", d, 4)[0] if len(d) >= 6 else 0)
        if v == 4 and tot == 0 and len(d) > 20:       # segmentation offload in the capturing host
            tot = min(len(d), 65535)
            d = capture.fix_v4_header(d[:2] + struct.pack(">H", tot) + d[4:])
        if len(d) > tot >= 20:
            d = d[:tot]
            notes["trimmed"] += 1
        elif len(d) < tot:
            if o.pad and tot <= 65535:
                d = d + b"\0" * (tot - len(d))
                notes["padded"] += 1
            else:
                notes["truncated"] += 1
        if not o.keep_ttl and o.mode == "route" and v == 4 and d[8] < 2:
            old = struct.unpack_from(">H", d, 8)[0]
            new = (64 << 8) | d[9]
            c = 0xFFFF & ~struct.unpack_from(">H", d, 10)[0]
            c += (0xFFFF & ~old) + new
            while c >> 16:
                c = (c & 0xFFFF) + (c >> 16)
            d = d[:8] + struct.pack(">HH", new, 0xFFFF & ~c) + d[12:]
            notes["ttl_raised"] += 1
        elif not o.keep_ttl and o.mode == "route" and v == 6 and len(d) >= 40 and d[7] < 2:
            d = d[:7] + b"\x40" + d[8:]
            notes["ttl_raised"] += 1
        if o.fix_checksums:
            d = capture.fix_transport(d)
        out.append((n, fr.ts_ns, d, fr.ifname))
        if o.limit and len(out) >= o.limit:
            break
    return out, skipped, links, notes


def short_tuple(e):
    o = e["orig"]
    port = lambda k: ":%d" % o[k] if k in o else ""
    idn = "" if "id" not in o else ",id=%d" % o["id"]
    return "%s:%s%s>%s%s%s" % (e["proto"], o.get("src"), port("sport"), o.get("dst"), port("dport"), idn)


def event_text(kind, e, st):
    t = kind + ":" + (e["state"] or "-")
    if "ASSURED" in e["flags"]:
        t += "+A"
    if "UNREPLIED" not in e["flags"]:
        t += "+R"
    if st & 1:
        t += "+E"
    return t


def event_column(evs):
    """Events in order; several deaths in a row have no order, so sort those."""
    t = [event_text(k, e, st) for k, e, _, st in evs]
    dead = sorted(x for x in t if x[0] == "D")
    if t[:len(dead)] == [x for x in t if x[0] == "D"]:
        t[:len(dead)] = dead
    return " ".join(t)


def rebuild(o, exp, dest):
    """The capture exactly as the kernel saw it (same bytes, its clock, side
    by side), put together again from the original and the recorded trace."""
    pkts, _, _, _ = load_packets(o)
    by = {n: d for n, _, d, _ in pkts}
    r = json.load(open(os.path.join(exp, "result.json")))
    rows = [x.split("\t") for x in open(os.path.join(exp, "packets.tsv")).read().splitlines()[1:]]
    names = [o.in_dev, o.out_dev] if o.mode == "route" else [o.out_dev, "local"]
    if r["setup"].get("readdressed"):
        raise SystemExit("answers were readdressed in this run: use its own replayed.pcapng")
    w = capture.PcapngWriter(dest, names)
    for row in rows:
        w.packet(row[2], r["clock"]["first_packet_ns"] + round(float(row[1]) * 1e6) * 1000, by[int(row[0])])
    w.close()
    print("%s: %d packets" % (dest, len(rows)))


def write_json(path, obj):
    """JSON, one record per line inside lists: readable and easy to diff."""
    def enc(v):
        return json.dumps(v, sort_keys=False)
    with open(path, "w") as f:
        f.write("{\n")
        keys = list(obj)
        for i, k in enumerate(keys):
            v = obj[k]
            end = ",\n" if i + 1 < len(keys) else "\n"
            if isinstance(v, list) and v and isinstance(v[0], dict):
                f.write("%s: [\n%s\n]%s" % (enc(k), ",\n".join("  " + enc(x) for x in v), end))
            else:
                f.write("%s: %s%s" % (enc(k), enc(v), end))
        f.write("}\n")


def run(o):
    pkts, skipped, links, notes = load_packets(o)
    if os.geteuid():
        raise SystemExit("needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000 | 0x00020000):         # new network + mount namespace
        raise SystemExit("unshare: %s" % os.strerror(ctypes.get_errno()))
    libc.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None)     # private
    sh("ip", "link", "set", "dev", "lo", "up")

    host = o.mode == "host"
    raw = [p for _, _, p, _ in pkts]
    local, inside = [], []
    for k in ("all", "default"):
        for s, v in (("rp_filter", 0), ("accept_local", 1), ("send_redirects", 0), ("accept_redirects", 0),
                     ("route_localnet", 1), ("log_martians", 0), ("secure_redirects", 0)):
            sysctl_write("net.ipv4.conf.%s.%s" % (k, s), v)
        for s, v in (("accept_ra", 0), ("accept_dad", 0), ("accept_redirects", 0), ("dad_transmits", 0),
                     ("router_solicitations", 0), ("autoconf", 0)):
            sysctl_write("net.ipv6.conf.%s.%s" % (k, s), v, False)
    if not host:
        sysctl_write("net.ipv4.ip_forward", 1)
        sysctl_write("net.ipv6.conf.all.forwarding", 1)
    outd = Tun(o.out_dev)
    ind = None if host else Tun(o.in_dev)
    devs = [d for d in (ind, outd) if d]
    for a in o.addr or []:
        dev, cidr = a.split("=", 1)
        sh("ip", "addr", "add", cidr, "dev", dev, *(["nodad"] if ":" in cidr else []))
    sh("ip", "route", "replace", "default", "dev", o.out_dev)
    sh("ip", "-6", "route", "replace", "default", "dev", o.out_dev)
    if host:
        local = guess_local(raw) if o.local == ["auto"] else o.local
        for a in local:
            v6 = ":" in a
            sh("ip", *(["-6"] if v6 else []), "addr", "add", a + ("/128" if v6 else "/32"), "dev", o.out_dev,
               *(["nodad"] if v6 else []))
    else:
        inside = guess_inside(raw) if o.inside == ["auto"] else o.inside
        batch4 = "".join("route replace %s dev %s\n" % (n, o.in_dev) for n in inside if ":" not in n)
        batch6 = "".join("route replace %s dev %s\n" % (n, o.in_dev) for n in inside if ":" in n)
        if batch4:
            sh("ip", "-force", "-batch", "-", stdin=batch4)
        if batch6:
            sh("ip", "-6", "-force", "-batch", "-", stdin=batch6)

    sysctl_write("net.netfilter.nf_conntrack_acct", 1)
    for k, v in (read_sysctl_file(o.sysctl) if o.sysctl else []):
        sysctl_write(k, v)
    bk = o.backend
    for f, pre in ((o.rules, "iptables"), (o.rules6, "ip6tables")):
        if f:
            sh("%s-%s-restore" % (pre, bk), *(["-c"] if o.keep_counters else []), stdin=open(f).read())
    sh("nft", "-f", "-", stdin=probe_text(o.answers))
    log, ev = netlink.PacketLog(GROUP), netlink.Events()
    rawsock = Raw() if host else None
    nets = [ipaddress.ip_network(n, strict=False) for n in inside] if not host else []
    hosts = {str(n.network_address) for n in nets if n.num_addresses == 1}
    wide = [n for n in nets if n.num_addresses > 1]
    memo = {}

    def is_inside(a):
        if a not in memo:
            ip = ipaddress.ip_address(a)
            memo[a] = a in hosts or any(ip.version == n.version and ip in n for n in wide)
        return memo[a]

    time.sleep(0.3)                                   # let interface start-up noise pass
    for d in devs:
        d.read()
    log.read()
    ev.read()
    sh("conntrack", "-F", check=False)
    if not o.keep_counters:
        for f, pre in ((o.rules, "iptables"), (o.rules6, "ip6tables")):
            if f:
                for t in ("filter", "nat", "mangle", "raw", "security"):
                    if "*" + t in open(f).read():
                        sh("%s-%s" % (pre, bk), "-t", t, "-Z")
    ev.read()

    skip_mode = o.time == "skip"
    scale = float(o.time.split(":")[1]) if o.time.startswith("scale:") else 1.0
    ager = netlink.Ager() if skip_mode else None
    skipped_s, gone = 0.0, 0
    t0 = time.monotonic()
    first = pkts[0][1] if pkts else 0
    base = first or 1700000000 * 1000000000
    vnow = lambda: time.monotonic() - t0 + skipped_s
    writer = trace = None
    if o.out:
        os.makedirs(o.out, exist_ok=True)
        for old in ("replayed.pcapng", "rules.v4.txt", "rules.v6.txt"):
            if os.path.exists(os.path.join(o.out, old)):
                os.unlink(os.path.join(o.out, old))
        if o.replayed:
            writer = capture.PcapngWriter(os.path.join(o.out, "replayed.pcapng"), [d.name for d in devs] + (["local"] if host else []))
        trace = open(os.path.join(o.out, "packets.tsv") if o.trace else os.devnull, "w")
        trace.write("n\tt\tfrom\tct\tfate\tevents\tpacket\tout\n")
    destroyed, sent, prev, aged = [], 0, first, []
    fates = {"F": 0, "L": 0, "D": 0, "O": 0}
    cts = {}
    last_send = 0.0
    follow = capture.FollowNat() if o.follow_nat else None
    side_mix = {}
    for n, ts, d, ifname in pkts:
        gap = max(0, ts - prev) / 1e9
        prev = max(prev, ts)
        if o.time == "real" or o.time.startswith("scale:"):
            g = min(gap / scale, o.max_gap)
            target = last_send + g
            while True:
                left = target - vnow()
                if left <= 0:
                    break
                time.sleep(min(left, 0.5))
        elif skip_mode:
            target = max(0, ts - first) / 1e9
            lag = target - vnow()
            if 0 < lag:
                time.sleep(min(lag, gap, o.real_gap))
                lag = target - vnow()
                if lag > o.skip_min:
                    gone += ager.skip(vnow, target)
                    skipped_s += max(0.0, target - vnow())
                    # the ageing itself shows up as updates: keep only the deaths
                    aged = [x for x in ev.read() if x[0] == "D"]
        a = capture.addresses(d)
        if host:
            dev = rawsock if a and a[0] in local else outd
            name = "local" if dev is rawsock else o.out_dev
        else:
            inn = False
            if o.by_interface and ifname in (o.in_dev, o.out_dev):
                inn = ifname == o.in_dev
            elif a:
                inn = is_inside(a[0]) or (is_group(a[0]) and not is_inside(a[1]))
            dev = ind if inn else outd
            name = dev.name
        if follow:
            d, via = follow.apply(d)
            if via and not (host and dev is rawsock):
                dev = next(x for x in devs if x.name == via)
                name = dev.name
        last_send = int(vnow() * 1e6) / 1e6
        ok = dev.send(d)
        outs = [(x.name, p) for x in devs for p in x.read()]
        if follow:
            follow.learn(d, outs)
        lg, evs = log.read(), aged + ev.read()
        aged = []
        sent += 1
        c = next((t[2:] for t, m in lg if t.startswith("c:")), "-")
        fwd = [t[2:] for t, m in lg if t.startswith("f:")]
        # F forwarded, L delivered locally, O sent out by the host itself, D gone
        fate = fwd[-1] if fwd else "D"
        if host and name == "local":
            fate = "O" if outs else ("L" if fwd else "D")
        elif fate == "F" and not outs:
            fate = "D"
        fates[fate] += 1
        cts[c] = cts.get(c, 0) + 1
        side_mix[name] = side_mix.get(name, 0) + 1
        for k, e, cid, st in evs:
            if k == "D":
                destroyed.append(dict(e, after=n))
        if writer:
            writer.packet(name, base + round(last_send * 1e6) * 1000, d)
        if trace:
            trace.write("%d\t%.6f\t%s\t%s\t%s\t%s\t%s\t%s\n" % (
                n, last_send, name, c if ok else "senderr", fate,
                event_column(evs),
                capture.brief(d), " ".join("%s=%s%s" % (dn, capture.brief(p), "" if len(p) == len(d) else ",len%+d" % (len(p) - len(d))) for dn, p in outs)))
    if o.end_wait:
        if skip_mode:
            target = vnow() + o.end_wait
            gone += ager.skip(vnow, target)
            skipped_s += max(0.0, target - vnow())
        else:
            time.sleep(o.end_wait)
    table_at = vnow()
    table = open("/proc/self/net/nf_conntrack").read()
    exps = open("/proc/self/net/nf_conntrack_expect").read()
    for k, e, cid, st in ev.read():
        if k == "D":
            destroyed.append(dict(e, after=None))
    stats = {}
    lines = open("/proc/self/net/stat/nf_conntrack").read().splitlines()
    cols = lines[0].split()
    for ln in lines[1:]:
        for c, v in zip(cols, ln.split()):
            stats[c] = stats.get(c, 0) + int(v, 16)
    count = int(open("/proc/sys/net/netfilter/nf_conntrack_count").read())
    stats["entries"] = count
    ip = {}
    for path in ("/proc/self/net/snmp", "/proc/self/net/netstat"):
        rows = open(path).read().splitlines()
        for h, v in zip(rows[::2], rows[1::2]):
            if h.split(":")[0] in ("Ip", "IpExt"):
                for k, x in list(zip(h.split(), v.split()))[1:]:
                    if k.startswith(("In", "Reasm", "Frag", "Forw", "OutNoR")) and "Octets" not in k and int(x):
                        ip[h.split(":")[0] + k] = int(x)
    for ln in open("/proc/self/net/snmp6"):
        k, x = ln.split()
        if k.startswith(("Ip6In", "Ip6Reasm", "Ip6Frag", "Ip6OutForw")) and "Octets" not in k and int(x):
            ip[k] = int(x)
    saves = {}
    for f, pre, fam in ((o.rules, "iptables", "ipv4"), (o.rules6, "ip6tables", "ipv6")):
        if f:
            txt = sh("%s-%s-save" % (pre, bk), "-c")
            saves[fam] = "".join(x + "\n" for x in txt.splitlines() if not x.startswith("#"))
    sysc = {}
    for f in sorted(os.listdir("/proc/sys/net/netfilter")):
        if f.startswith("nf_conntrack") and f.rsplit(".", 1)[-1] not in FORBIDDEN + ("nf_conntrack_count",):
            sysc[f] = open("/proc/sys/net/netfilter/" + f).read().strip()
    try:
        os.unlink("/dev/shm/oracle-xt.%d" % os.getpid())
    except OSError:
        pass
    entries = canon.parse_table(table)
    for e in entries:
        e["timeout_class"] = canon.timeout_bucket(e["timeout"])
    res = {
        "format": 1,
        "kernel": os.uname().release.split("-")[0],
        "input": {"file": os.path.basename(o.pcap), "sha256": hashlib.sha256(open(o.pcap, "rb").read()).hexdigest(),
                  "frames_by_link": links, "sent": sent, "not_sent": skipped, "notes": notes},
        "setup": {"mode": o.mode, "in_dev": None if host else o.in_dev, "out_dev": o.out_dev,
                  "inside": inside, "local": local, "addr": o.addr or [], "backend": bk, "answers": o.answers,
                  "time": o.time, "pad": o.pad, "fix_checksums": o.fix_checksums,
                  "follow_nat": o.follow_nat, "readdressed": follow.count if follow else 0},
        "clock": {"first_packet_ns": base, "last_packet": round(last_send, 3), "table_read": round(table_at, 3),
                  "real_seconds": round(time.monotonic() - t0, 3), "skipped_seconds": round(skipped_s, 3),
                  "entries_aged_out": gone},
        "sysctl": sysc,
        "summary": {"ct": dict(sorted(cts.items())), "fate": fates, "from": side_mix,
                    "lost_probe_messages": log.lost, "lost_events": ev.lost},
        "stats": stats,
        "ip": ip,
        "entries": entries,
        "destroyed": destroyed,
        "expectations": [x.strip() for x in exps.splitlines()],
        "rules": {fam: canon.parse_save(t) for fam, t in saves.items()},
    }
    if o.out:
        write_json(os.path.join(o.out, "result.json"), {k: v for k, v in res.items() if k != "rules"})
        with open(os.path.join(o.out, "table.txt"), "w") as f:
            f.write("".join(x + "\n" for x in sorted(table.splitlines())))
        for fam, t in saves.items():
            with open(os.path.join(o.out, "rules.v%s.txt" % fam[-1]), "w") as f:
                f.write(t)
        if writer:
            writer.close()
        trace.close()
    return res


def add_options(p):
    p.add_argument("--pcap", required=True)
    p.add_argument("--rules", help="iptables-save file (IPv4)")
    p.add_argument("--rules6", help="ip6tables-save file")
    p.add_argument("--sysctl", help="sysctl.conf style file")
    p.add_argument("--mode", choices=("route", "host"), default="route")
    p.add_argument("--inside", action="append", help="prefix behind the inside interface, repeatable; default: auto")
    p.add_argument("--local", action="append", help="host mode: the host's own address, repeatable; default: auto")
    p.add_argument("--in-dev", default="lan0")
    p.add_argument("--out-dev", default="wan0")
    p.add_argument("--addr", action="append", help="DEV=ADDR/LEN, an address of the gateway itself")
    p.add_argument("--by-interface", action="store_true", help="pcapng whose interface names are the two devices")
    p.add_argument("--backend", choices=("legacy", "nft"), default="legacy")
    p.add_argument("--answers", choices=("block", "allow"), default="block",
                   help="packets the kernel itself would originate (RST, ICMP errors): suppress (default) or let out")
    p.add_argument("--time", default="asap", help="asap | real | scale:K | skip")
    p.add_argument("--max-gap", type=float, default=1e9, help="longest pause, seconds (real, scale)")
    p.add_argument("--real-gap", type=float, default=0.0,
                   help="skip mode: seconds of each gap really waited for (2.1 for the UDP stream rule)")
    p.add_argument("--skip-min", type=float, default=1.0, help="skip mode: let the clock lag by this much before ageing the table")
    p.add_argument("--end-wait", type=float, default=0.0)
    p.add_argument("--limit", type=int, default=0)
    p.add_argument("--pad", action="store_true", help="zero-fill packets cut by the snap length")
    p.add_argument("--fix-checksums", action="store_true")
    p.add_argument("--follow-nat", action="store_true",
                   help="readdress answers in the capture to the translated address")
    p.add_argument("--keep-ttl", action="store_true")
    p.add_argument("--keep-counters", action="store_true")
    p.add_argument("--no-trace", dest="trace", action="store_false")
    p.add_argument("--no-replayed", dest="replayed", action="store_false")
    p.add_argument("--out")


def case_args(d):
    c = json.load(open(os.path.join(d, "case.json")))
    argv = []
    for k, v in c.items():
        if k in ("about", "compare", "results"):
            continue
        opt = "--" + k.replace("_", "-")
        for x in v if isinstance(v, list) else [v]:
            if x is True:
                argv.append(opt)
            elif x is False and k in ("replayed", "trace"):
                argv.append("--no-" + k)
            elif x is False or x is None:
                continue
            elif k in ("pcap", "rules", "rules6", "sysctl"):
                argv += [opt, os.path.join(d, x)]
            else:
                argv += [opt, str(x)]
    p = argparse.ArgumentParser()
    add_options(p)
    o = p.parse_args(argv)
    return o, c


def finish(o):
    o.inside = o.inside or ["auto"]
    o.local = o.local or ["auto"]
    return o


def in_child(fn):
    """Each run gets its own process, hence its own namespace."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        rc = 1
        try:
            rc = fn() or 0
        except SystemExit as e:
            print(e, file=sys.stderr)
        except Exception:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(rc)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def brief_result(name, r):
    s = r["summary"]
    print("%-28s %6d sent  %5d entries  %4d destroyed  ct %s  fate %s  %.1fs" % (
        name, r["input"]["sent"], len(r["entries"]), len(r["destroyed"]),
        " ".join("%s=%d" % x for x in s["ct"].items()), " ".join("%s=%d" % x for x in s["fate"].items() if x[1]),
        r["clock"]["real_seconds"]))
    if s["lost_probe_messages"] or s["lost_events"]:
        print("   WARNING: probe messages or events were lost")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="cmd", required=True)
    add_options(sub.add_parser("run"))
    for c in ("record", "verify"):
        sub.add_parser(c).add_argument("cases", nargs="+")
    p = sub.add_parser("rebuild")
    p.add_argument("case")
    p.add_argument("dest")
    o = ap.parse_args()
    if o.cmd == "rebuild":
        co, c = case_args(o.case)
        return rebuild(finish(co), os.path.join(o.case, c.get("results", "expected")), o.dest)
    if o.cmd == "run":
        def one():
            brief_result(os.path.basename(o.pcap), run(finish(o)))
        return in_child(one)
    bad = 0
    for d in o.cases:
        d = d.rstrip("/")

        def one():
            co, c = case_args(d)
            if o.cmd == "record":
                co.out = os.path.join(d, c.get("results", "expected"))
            else:
                co.out = os.path.join("/dev/shm", "oracle-verify.%d" % os.getpid())
            r = run(finish(co))
            brief_result(os.path.basename(d), r)
            if o.cmd == "verify":
                exp = os.path.join(d, c.get("results", "expected"))
                import compare
                diffs = compare.compare_dirs(exp, co.out, c.get("compare", {}))
                import shutil
                shutil.rmtree(co.out)
                for x in diffs[:20]:
                    print("    " + x)
                if len(diffs) > 20:
                    print("    ... %d more" % (len(diffs) - 20))
                return 1 if diffs else 0
        bad += 1 if in_child(one) else 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
