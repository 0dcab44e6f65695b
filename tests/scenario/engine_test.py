# SPDX-License-Identifier: BSD-2-Clause
"""The scenarios through the engine.

    engine_test.py CONNTUNE
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import scenario


def main(conntune):
    def execute(pcap, n, settings):
        with tempfile.TemporaryDirectory(prefix="ctt-scenario-") as tmp:
            cut = Path(tmp) / "cut.pcap"
            cut.write_bytes(first_packets(pcap.read_bytes(), n))
            options = [o for k, v in settings.items() for o in ("--set", f"{k}={v}")]
            subprocess.run([conntune, "replay", cut, "--out", tmp, *options], check=True)
            return ((Path(tmp) / "table.txt").read_text(),
                    scenario.state_of((Path(tmp) / "packets.tsv").read_text(), n))

    return scenario.run(execute, "engine")


def first_packets(pcap, n):
    at = 24
    for _ in range(n):
        at += 16 + int.from_bytes(pcap[at + 8:at + 12], "little")
    return pcap[:at]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
