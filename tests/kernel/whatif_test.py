# SPDX-License-Identifier: BSD-2-Clause
"""What whatif foresees of a change, made on the running kernel and counted. whatif_slow_test.py
does the same at length."""
import time

import kernel as k
import whatif_traffic as w

k.need("nft")

BASE = {"udp_timeout": 6, "tcp_timeout_time_wait": 7, "tcp_timeout_established": 10}
SHORTER = {"udp_timeout": 3, "tcp_timeout_time_wait": 4, "tcp_timeout_established": 6}


def test_foreseen_and_counted():
    """shorter timeouts, then growth without tracking of a port: within 3 %, by state and together"""
    with k.Netns("whatif") as ns:
        w.table(ns, BASE)
        with w.Traffic(ns, 300, 150, 60) as traffic:
            time.sleep(20)
            shorter, told = w.foresee(ns, *w.options(SHORTER))
            both, _ = w.foresee(ns, *w.options(SHORTER), "--growth", "1.5x",
                                "--notrack", f"udp dport {w.UDP_PORT}")
            w.timeouts(ns, SHORTER)
            time.sleep(10)
            w.compare("shorter", shorter, w.count(ns), 0.03)
            w.notrack(ns, "udp", w.UDP_PORT)
            traffic.rate(1.5)
            time.sleep(16)
            w.compare("grown, not tracked", both, w.count(ns), 0.03)
    check_breaks(told)


def check_breaks(told):
    """Every silent connection has its socket still open: all that is forgotten breaks."""
    breaks = {row["id"]: row["n"] for row in told["breaks"]}
    row = next(row for row in told["states"] if row["kind"] == "tcp ESTABLISHED")
    assert breaks["open"] == row["now"] - row["then"] > 100, (breaks, row)
    assert "gone" not in breaks and "forwarded" not in breaks, breaks
    assert [s["service"] for s in told["breaks_services"]] == [f"tcp/{w.TALK_PORT}"], told
    assert told["breaks_examples"][0]["idle_s"] >= SHORTER["tcp_timeout_established"]


def test_closed_and_forwarded():
    """forgotten entries whose socket is gone, and those of others, are told apart from open ones"""
    with k.Netns("whatif2") as ns:
        ns.track()
        entry = {"dst": "127.0.0.1", "dport": 80, "timeout": 400000}
        away = {"dst": "192.0.2.1", "dport": 443, "timeout": 400000}
        made = ns.call(k.insert, [{"src": "127.0.0.1", "sport": 1000 + n, **entry}
                                  for n in range(30)] +
                       [{"src": "198.51.100.1", "sport": 1000 + n, **away} for n in range(20)])
        assert made == 50, made
        _, told = w.foresee(ns, "--set", "nf_conntrack_tcp_timeout_established=1h")
    breaks = {row["id"]: row["n"] for row in told["breaks"]}
    assert breaks == {"gone": 30, "forwarded": 20}, breaks
    assert told["breaks_services"] == [{"service": "tcp/443", "breaks": 20, "now": 20}], told


def test_translated():
    """what is translated must stay tracked, and is named"""
    with k.Netns("whatif3") as ns:
        ns.track()
        ns.nft("table ip nat { chain output { type nat hook output priority -100;"
               " udp dport 53 dnat to 127.0.0.2:5353; } }")
        ns.call(k.udp_burst, "127.0.0.1", 53, 10)
        ns.call(k.udp_burst, "127.0.0.1", 54, 10)
        _, told = w.foresee(ns, "--notrack", "udp dport 53", "--notrack", "udp dport 54")
    rows = {row["conditions"]: row for row in told["notrack"]}
    assert rows["udp dport 53"]["nat"] == 10 and rows["udp dport 53"]["breaks"], rows
    assert rows["udp dport 54"]["nat"] == 0 and not rows["udp dport 54"]["breaks"], rows


k.main(globals())
