# SPDX-License-Identifier: BSD-2-Clause
"""Several changes foreseen from one look at a table, made one after the other on the running
kernel, and counted. What it prints stands in docs/accuracy.md."""
import time

import kernel as k
import whatif_traffic as w

k.need("nft")

BASE = {"udp_timeout": 12, "tcp_timeout_time_wait": 14, "tcp_timeout_established": 20}
SHORTER = {"udp_timeout": 4, "tcp_timeout_time_wait": 6, "tcp_timeout_established": 9}
LONGER = {"udp_timeout": 18, "tcp_timeout_time_wait": 20, "tcp_timeout_established": 30}
CHURN = ("--notrack", f"tcp dport {w.CHURN_PORT}")
UDP = ("--notrack", f"udp dport {w.UDP_PORT}")


def settle(*timeouts):
    """Until the entries given the timeouts of before are gone, and talks have ended."""
    time.sleep(max(max(t.values()) for t in timeouts) + max(w.TALKS_S) + 3)


def test_one_look_many_changes():
    """six changes from one look: foreseen and counted are within 3 %, by state and together"""
    with k.Netns("whatif") as ns:
        w.table(ns, BASE)
        with w.Traffic(ns, 400, 150, 60) as traffic:
            settle(BASE)
            look = lambda *argv: w.foresee(ns, *argv)[0]
            shorter, longer = look(*w.options(SHORTER)), look(*w.options(LONGER))
            grown, quiet = look("--growth", "1.5x"), look(*CHURN)
            both = look(*CHURN, *UDP)
            all_of_it = look(*w.options(SHORTER), *UDP, "--growth", "+50%")

            w.timeouts(ns, SHORTER)
            settle(BASE)
            w.compare("shorter timeouts", shorter, w.count(ns), 0.03)
            w.timeouts(ns, LONGER)
            settle(LONGER)
            w.compare("longer timeouts", longer, w.count(ns), 0.03)
            w.timeouts(ns, BASE)
            traffic.rate(1.5)
            settle(LONGER)
            w.compare("growth 1.5x", grown, w.count(ns), 0.03)
            traffic.rate(1)
            w.notrack(ns, "tcp", w.CHURN_PORT)
            settle(BASE)
            w.compare("one port not tracked", quiet, w.count(ns), 0.03)
            w.notrack(ns, "udp", w.UDP_PORT)
            settle(BASE)
            w.compare("two ports not tracked", both, w.count(ns), 0.03)
            w.track_again(ns)
            w.notrack(ns, "udp", w.UDP_PORT)
            w.timeouts(ns, SHORTER)
            traffic.rate(1.5)
            settle(BASE)
            w.compare("shorter, grown, not tracked", all_of_it, w.count(ns), 0.03)


k.main(globals())
