# SPDX-License-Identifier: BSD-2-Clause
"""conntune apply on the limit and the buckets, which belong to the whole machine."""
import apply
import kernel as k

k.need("unshare", "nsenter")

MAX = "/proc/sys/net/netfilter/nf_conntrack_max"
BUCKETS = "/proc/sys/net/netfilter/nf_conntrack_buckets"


def values():
    return int(k.get(MAX)), int(k.get(BUCKETS))


def sets(limit, buckets):
    return ["--set", f"nf_conntrack_max={limit}", "--set", f"nf_conntrack_buckets={buckets}"]


def test_order():
    """more buckets come before a higher limit, a lower limit before fewer buckets"""
    limit, buckets = values()
    with k.Limits(), apply.Machine() as m:
        for factor, first in ((2, "nf_conntrack_buckets"), (0.9, "nf_conntrack_max")):
            told = k.as_json(m.conntune("apply", "--json", "-y",
                                        *sets(int(limit * factor), int(buckets * factor))))
            assert told["state"] == "kept" and told["events"][0]["what"] == first, told
            assert values() == tuple(int(c["to"]) for c in sorted(
                told["changes"], key=lambda c: c["what"], reverse=True))
            back = k.as_json(m.conntune("undo", "--json"))["events"]
            assert back[0]["what"] != first and values() == (limit, buckets), back


def test_killed_between():
    """killed between the two, neither stays changed"""
    apply.need_strace()
    limit, buckets = values()
    mixed = False
    with k.Limits(), apply.Machine() as m:
        for _, _, killed in m.kill_everywhere("apply", "-y", *sets(limit * 2, buckets * 2)):
            mixed |= values() == (limit, buckets * 2)
            assert m.conntune("recover").returncode == 0
            kept = bool(m.history()) and m.state() == "kept"
            assert killed or kept
            assert values() == ((limit * 2, buckets * 2) if kept else (limit, buckets))
            if kept:
                m.conntune("undo")
            assert values() == (limit, buckets)
    assert mixed


k.main(globals())
