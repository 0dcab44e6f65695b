# SPDX-License-Identifier: BSD-2-Clause
"""The engine against the running kernel, packet by packet, on fresh random traffic.

CTT_SEED repeats a run; CTT_PACKETS makes it longer. Rounds are short: within two seconds no UDP
flow becomes a stream, so that it does not matter on which side of a clock's tick a packet falls.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import kernel as k

ORACLE = Path(__file__).resolve().parent.parent / "oracle"
sys.path.insert(0, str(ORACLE))
import canon  # noqa: E402
import helper_traffic  # noqa: E402
import traffic  # noqa: E402

ROUND = 10000
PACKETS = int(os.environ.get("CTT_PACKETS", 200000))
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))


ROUTER = ("--mode", "route", "--inside", "192.168.0.0/16", "--inside", "2001:db8:1::/64")
HOST = ("--local", "192.168.1.10", "--local", "2001:db8:1::10")


def ask_kernel(pcap, out, *options):
    done = subprocess.run(
        [sys.executable, ORACLE / "oracle.py", "run", "--pcap", pcap, "--keep-ttl", "--out", out,
         *options],
        text=True, capture_output=True, check=False)
    if done.returncode:
        k.skip(f"the kernel cannot be asked: {(done.stdout + done.stderr).strip()[-200:]}")
    return json.loads((out / "result.json").read_text())


def differences(packets, rules=(), options=(), role=ROUTER):
    """@rules: name and text of files that the kernel is given; @options: of the replay."""
    with tempfile.TemporaryDirectory(prefix="ctt-tracker-") as tmp:
        tmp = Path(tmp)
        traffic.write(tmp / "in.pcap", packets)
        for name, text in rules:
            (tmp / name).write_text(text)
        asked = ask_kernel(tmp / "in.pcap", tmp / "kernel", *role,
                           *(x for name, _ in rules for x in (f"--{name}", tmp / name)))
        if asked["summary"]["lost_probe_messages"] or asked["summary"]["lost_events"]:
            return []  # nothing can be said of this round
        subprocess.run([k.CONNTUNE, "replay", tmp / "kernel" / "replayed.pcapng", "--set", "acct=1",
                        "--out", tmp / "engine", *options], check=True)
        diffs = canon.compare_packets((tmp / "kernel" / "packets.tsv").read_text(),
                                      (tmp / "engine" / "packets.tsv").read_text(),
                                      cols=("n", "ct", "fate", "events"))
        diffs += canon.compare_tables(asked["entries"],
                                      canon.parse_table((tmp / "engine" / "table.txt").read_text()))
        stats = json.loads((tmp / "engine" / "stats.json").read_text())
        diffs += [f"counter {name}: kernel {asked['stats'].get(name, 0)} engine {value}"
                  for name, value in stats.items() if asked["stats"].get(name, 0) != value]
        return diffs


def test_random_traffic():
    """every packet is judged alike, and the tables end alike"""
    for n in range(max(1, PACKETS // ROUND)):
        diffs = differences(traffic.Traffic(SEED + n).make(ROUND))
        assert not diffs, f"CTT_SEED={SEED + n}: {len(diffs)} differences\n" + "\n".join(diffs[:10])


def test_random_dialogues():
    """helpers read what the kernel's read, and expect the same"""
    rules = (("rules", helper_traffic.RULES4), ("rules6", helper_traffic.RULES))
    options = [x for helper in helper_traffic.HELPERS for x in ("--helper", helper)]
    for n in range(max(1, PACKETS // ROUND // 4)):
        packets = helper_traffic.Dialogues(SEED + n).make(ROUND, helper_traffic.WEIGHTS)
        diffs = differences(packets, rules, options)
        assert not diffs, f"CTT_SEED={SEED + n}: {len(diffs)} differences\n" + "\n".join(diffs[:10])


def test_random_host():
    """what a host sends and receives itself is judged alike"""
    # A fragment that is sent without an identification gets one of its own.
    weights = {kind: w for kind, w in traffic.WEIGHTS.items() if kind != "fragments"}
    for n in range(max(1, PACKETS // ROUND // 4)):
        packets = traffic.Traffic(SEED + n).make(ROUND, weights)
        diffs = differences(packets, (), ("--host", *HOST), ("--mode", "host", *HOST))
        assert not diffs, f"CTT_SEED={SEED + n}: {len(diffs)} differences\n" + "\n".join(diffs[:10])


# Zones of both directions and of one, given to packets of either side or of one side alone.
ZONES = ["-i lan0 -j CT --zone-orig 3", "-i lan0 -j CT --zone-reply 4", "-j CT --zone 5",
         "-j CT --zone-orig 6", "-j CT --zone-reply 7", "-i wan0 -j CT --zone-orig 8",
         "-i wan0 -j CT --zone 5", "-i lan0 -j CT --zone 5"]
FIDELITIES = ("kernel", "exact")


def zone_rules(seed):
    """A zone, or none, for each protocol and server."""
    chance = random.Random(seed)
    rules = ["*raw", ":PREROUTING ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"]
    for proto in ("tcp", "udp", "icmp", "sctp", "gre"):
        for server in ("198.51.100.20", "198.51.100.21"):
            for side in ("-s", "-d"):
                if chance.random() < .7:
                    rules.append(f"-A PREROUTING {side} {server}/32 -p {proto} "
                                 + chance.choice(ZONES))
    return "\n".join([*rules, "COMMIT", ""])


def test_random_zones():
    """zones, also of one direction, part flows as the kernel's do"""
    for n in range(max(1, PACKETS // ROUND // 10)):
        with tempfile.TemporaryDirectory(prefix="ctt-zones-") as tmp:
            rules = Path(tmp) / "rules"
            rules.write_text(zone_rules(SEED + n))
            diffs = differences(traffic.Traffic(SEED + n).make(ROUND), [("rules", rules.read_text())],
                                ["--rules", rules, "--fidelity", FIDELITIES[n % 2]])
        assert not diffs, f"CTT_SEED={SEED + n}: {len(diffs)} differences\n" + "\n".join(diffs[:10])


k.need("ip", "nft")
k.main(globals())
