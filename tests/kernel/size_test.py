# SPDX-License-Identifier: BSD-2-Clause
"""Sizes against the running kernel: its own defaults, rounding, the size of an entry, and how often
a new connection is refused because a chain is too long."""
import random

import kernel as k

k.need()


def size(*argv):
    return k.as_json(k.conntune("size", "--json", *argv))


def test_default_and_rounding():
    """Buckets are rounded as the kernel rounds them"""
    for asked in (1, 513, 3000):
        with k.Limits(buckets=asked):
            real = int(k.get(k.SYSCTL + "buckets"))
            told = size()["table"]["buckets"]
        assert size("--max", "1000", "--buckets", asked)["table"]["buckets"] == real, (asked, real)
        assert told == real


def test_entry_size():
    """The size of an entry is the one of the kernel's slab"""
    for line in open("/proc/slabinfo", encoding="ascii"):
        if line.split()[0] == "nf_conntrack":
            real = int(line.split()[3])
            break
    else:
        k.skip("slabinfo has no nf_conntrack")
    memory = size()["memory"]
    assert memory["entry_is_measured"] and memory["entry_bytes"] == real, (memory, real)


def predicted(buckets, attempts, step=256):
    """Entries after so many new flows, each refused with the chance that conntune tells."""
    n = done = 0
    while done < attempts:
        p = 0
        if n:
            p = size("--entries", int(n), "--buckets", buckets)["load"]["insert_failure"]
        part = min(step, attempts - done)
        n += part * (1 - p)
        done += part
    return n


def others(ns):
    """Entries of every namespace but @ns: all of them hang in the same chains."""
    told = k.as_json(k.conntune("settings", "--json", "--netns", "all", "nf_conntrack_count"))
    return sum(row["now"] for row in told["settings"] if row["netns"] != ns.name)


def fill(packets, buckets):
    """Entries made and refused when these datagrams meet few buckets, and entries of others."""
    with k.Netns("model") as ns, k.Netns("modelc") as client:
        ns.join(client)
        ns.track()
        ns.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
               "net.ipv4.conf.eth0.rp_filter=0", "net.netfilter.nf_conntrack_udp_timeout=300")
        with k.Limits(max=50000, buckets=buckets):
            foreign = others(ns)
            client.call(k.send_raw, packets)
            foreign = max(foreign, others(ns))
            return ns.count(), k.counters(ns)["chaintoolong"], foreign


def test_chain_too_long():
    """New flows are refused for long chains as often as conntune says"""
    buckets, attempts = 512, 16000
    chance = random.Random(7)
    flows = set()
    while len(flows) < attempts:
        flows.add((chance.randrange(11, 100), chance.randrange(1, 255),
                   chance.randrange(1024, 65536)))
    packets = [k.udp_packet(f"{a}.7.1.{b}", "10.97.0.1", port, 5000, b"x")
               for a, b, port in sorted(flows)]
    for _ in range(3):
        count, refused, foreign = fill(packets, buckets)
        if foreign < 100:
            break
    else:
        k.skip(f"other namespaces hold {foreign} entries in the same chains")
    assert count + refused > 0.9 * attempts, (count, refused)
    want = predicted(buckets, count + refused)
    print(f"# {count + refused} new flows in {buckets} buckets: {count} entries, {refused} "
          f"refused; predicted {want:.0f} and {count + refused - want:.0f}")
    assert refused > 500, refused
    assert abs(count - want) < 0.02 * want, (count, want)


k.main(globals())
