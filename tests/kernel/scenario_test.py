# SPDX-License-Identifier: BSD-2-Clause
"""The scenarios through the running kernel: the same texts as the engine's, the same answers.

Pauses of more than two seconds are not waited for: the table is aged by the rest.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import kernel as k

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "scenario"))
import scenario  # noqa: E402


def ask(pcap, n, settings):
    with tempfile.TemporaryDirectory(prefix="ctt-scenario-") as tmp:
        tmp = Path(tmp)
        (tmp / "sysctl.conf").write_text("".join(
            f"net.netfilter.{key} = {value}\n" for key, value in settings.items()))
        done = subprocess.run(
            [sys.executable, TESTS / "oracle" / "oracle.py", "run", "--pcap", pcap, "--mode",
             "route", "--inside", "10.0.0.0/8", "--inside", "2001:db8:1::/64", "--time", "skip",
             "--real-gap", "2.05", "--skip-min", "0.5", "--limit", str(n), "--sysctl",
             tmp / "sysctl.conf", "--out", tmp / "out"],
            text=True, capture_output=True, check=False)
        if done.returncode:
            k.skip(f"the kernel cannot be asked: {(done.stdout + done.stderr).strip()[-200:]}")
        return ((tmp / "out" / "table.txt").read_text(),
                scenario.state_of((tmp / "out" / "packets.tsv").read_text(), n))


def test_scenarios():
    """the kernel does what the scenarios say"""
    for path in sorted((TESTS / "scenario").glob("*/*.sc")):
        s = scenario.Scenario(path)
        faults = s.faults(ask)
        assert not faults, f"{s.name}: " + "; ".join(faults)


k.need("ip", "nft")
k.main(globals())
