# SPDX-License-Identifier: BSD-2-Clause
"""Canonical forms of connection tables, rule listings and packet traces."""
import re

FLAG = re.compile(r"^\[(\w+)\]$")
NUM = re.compile(r"^-?\d+$")


def parse_entry(line):
    """One line of /proc/net/nf_conntrack (or `conntrack -L -o extended`)."""
    tok = line.split()
    if len(tok) < 6 or tok[0] not in ("ipv4", "ipv6"):
        return None
    e = {"family": tok[0], "proto": tok[2], "l4num": int(tok[3]), "timeout": None, "state": None,
         "orig": {}, "reply": {}, "flags": [], "mark": 0, "zone": 0}
    i = 4
    if NUM.match(tok[i]):
        e["timeout"] = int(tok[i])
        i += 1
    side = None
    for t in tok[i:]:
        m = FLAG.match(t)
        if m:
            e["flags"].append(m.group(1))
            continue
        if "=" not in t:
            if side is None:
                e["state"] = t
            continue
        k, v = t.split("=", 1)
        if k == "src":
            side = "orig" if side is None else "reply"
        if k == "id" and side and "type" in e[side] and "id" not in e[side]:
            e[side][k] = int(v)               # echo identifier, part of the tuple
            continue
        if k in ("use", "secctx", "delta-time", "helper", "id"):
            if k == "helper":
                e["helper"] = v
            continue
        if k in ("mark", "zone", "secmark"):
            e[k] = int(v, 0)
            continue
        if k in ("zone-orig", "zone-reply"):
            e[k] = int(v)
            continue
        if side is None:
            continue
        e[side][k] = int(v, 0) if re.match(r"^(0x[0-9a-f]+|\d+)$", v) and k not in ("src", "dst") else v
    e["flags"].sort()
    return e


def parse_table(text):
    out = []
    for ln in text.splitlines():
        e = parse_entry(ln)
        if e:
            out.append(e)
    out.sort(key=entry_key)
    return out


def tuple_str(t):
    return " ".join("%s=%s" % (k, t[k]) for k in t if k not in ("packets", "bytes"))


def entry_key(e):
    return (e["family"], e["l4num"], e.get("zone", 0), e.get("zone-orig", 0), tuple_str(e["orig"]), tuple_str(e["reply"]))


def ident(e):
    """What makes an entry the same entry in two tables: original direction + zone."""
    return (e["family"], e["l4num"], e.get("zone", 0), e.get("zone-orig", 0), tuple_str(e["orig"]))


def timeout_bucket(t):
    """Coarse class of a remaining timeout, for people reading a diff."""
    if t is None:
        return "none"
    for lim in (3, 10, 30, 60, 120, 180, 300, 600, 3600, 86400, 432000):
        if t <= lim:
            return "<=%d" % lim
    return ">432000"


# ---------------------------------------------------------------- iptables-save -c

def parse_save(text):
    """-> list of {table, chain, rule|policy, packets, bytes} in order."""
    out, table = [], None
    for ln in text.splitlines():
        ln = ln.strip()
        if not ln or ln[0] == "#" or ln == "COMMIT":
            continue
        if ln[0] == "*":
            table = ln[1:]
        elif ln[0] == ":":
            name, pol, cnt = (ln[1:].split() + ["[0:0]"])[:3]
            p, b = cnt.strip("[]").split(":")
            out.append({"table": table, "chain": name, "policy": pol, "packets": int(p), "bytes": int(b)})
        else:
            m = re.match(r"^\[(\d+):(\d+)\]\s+(-A (\S+).*)$", ln)
            if m:
                out.append({"table": table, "chain": m.group(4), "rule": m.group(3),
                            "packets": int(m.group(1)), "bytes": int(m.group(2))})
            elif ln.startswith("-A"):
                out.append({"table": table, "chain": ln.split()[1], "rule": ln, "packets": 0, "bytes": 0})
    return out


# ---------------------------------------------------------------- comparison

def compare_tables(exp, got, tol=2, shift=0, ports_free=False, acct=True):
    """Differences as a list of strings.  `shift`: seconds that `got` is older
    in time than `exp` (its timeouts read higher by that much)."""
    diffs = []

    def index(es):
        d = {}
        for e in es:
            d.setdefault(ident(e), []).append(e)
        return d
    a, b = index(exp), index(got)
    for k in sorted(set(a) | set(b), key=str):
        name = "%s %s %s" % (k[0], k[1], k[4]) + (" zone=%s" % k[2] if k[2] else "")
        if k not in b:
            diffs.append("missing: %s (kernel: %s)" % (name, show(a[k][0])))
            continue
        if k not in a:
            diffs.append("extra: %s (engine: %s)" % (name, show(b[k][0])))
            continue
        if len(a[k]) != len(b[k]):
            diffs.append("count: %s kernel %d engine %d" % (name, len(a[k]), len(b[k])))
        for x, y in zip(a[k], b[k]):
            for f in ("proto", "state", "flags", "mark", "secmark", "zone-reply"):
                if x.get(f) != y.get(f):
                    diffs.append("%s: %s kernel %s engine %s" % (f, name, x.get(f), y.get(f)))
            rx, ry = dict(x["reply"]), dict(y["reply"])
            px = [rx.pop(c, None) for c in ("packets", "bytes")]
            py = [ry.pop(c, None) for c in ("packets", "bytes")]
            if ports_free:
                for rk, ok in (("dport", "sport"), ("id", "id")):
                    if rx.get(rk) != x["orig"].get(ok) and ry.get(rk) != y["orig"].get(ok):
                        rx.pop(rk, None)
                        ry.pop(rk, None)
            if rx != ry:
                diffs.append("reply tuple: %s kernel [%s] engine [%s]" % (name, tuple_str(rx), tuple_str(ry)))
            if acct:
                ox = [x["orig"].get(c) for c in ("packets", "bytes")]
                oy = [y["orig"].get(c) for c in ("packets", "bytes")]
                if ox != oy or px != py:
                    diffs.append("counters: %s kernel %s/%s engine %s/%s" % (name, ox, px, oy, py))
            tx, ty = x["timeout"], y["timeout"]
            if (tx is None) != (ty is None):
                diffs.append("timeout: %s kernel %s engine %s" % (name, tx, ty))
            elif tx is not None and abs(tx - (ty - shift)) > tol:
                diffs.append("timeout: %s kernel %s engine %s (tolerance %s)" % (name, tx, ty - shift, tol))
    return diffs


def show(e):
    return "%s %s %s%s" % (e["state"] or "-", timeout_bucket(e["timeout"]), tuple_str(e["reply"]),
                           "".join(" [%s]" % f for f in e["flags"]))


def compare_rules(exp, got):
    diffs = []

    def key(seq):
        n, out = {}, {}
        for r in seq:
            k = (r["table"], r["chain"], r.get("rule") or ":" + r.get("policy", ""))
            n[k] = n.get(k, 0) + 1
            out[k + (n[k],)] = (r["packets"], r["bytes"])
        return out
    a, b = key(exp), key(got)
    for k in a:
        if k not in b:
            if a[k] != (0, 0):
                diffs.append("rule absent: %s %s" % (k[0], k[2]))
        elif a[k] != b[k]:
            diffs.append("rule counters: -t %s %s kernel %s engine %s" % (k[0], k[2] if k[2][0] != ":" else k[1] + k[2], a[k], b[k]))
    return diffs


def compare_packets(exp_text, got_text, cols=("n", "ct", "fate"), deaths=True):
    """Traces are tab-separated with a header line; only `cols` are compared,
    and only those columns that both traces have.  With deaths=False the moment
    of D events is not compared (expired entries are collected at leisure)."""
    def load(t):
        ls = [x for x in t.splitlines() if x and not x.startswith("#")]
        h = ls[0].split("\t")
        return h, {int(r.split("\t")[0]): dict(zip(h, r.split("\t"))) for r in ls[1:]}
    ha, a = load(exp_text)
    hb, b = load(got_text)
    use = [c for c in cols if c in ha and c in hb and c != "n"]
    diffs = []
    for n in sorted(set(a) | set(b)):
        if n not in b or n not in a:
            diffs.append("packet %d only in %s" % (n, "kernel" if n in a else "engine"))
            continue
        for c in use:
            if c == "events" and not deaths:
                x, y = ([e for e in r[n][c].split() if e[0] != "D"] for r in (a, b))
                if x == y:
                    continue
            if a[n][c] != b[n][c]:
                diffs.append("packet %d %s: kernel %s engine %s  (%s)" % (n, c, a[n][c] or "-", b[n][c] or "-", a[n].get("packet", "")))
    return diffs
