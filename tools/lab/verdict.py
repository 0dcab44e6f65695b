#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the doctor's report names what the lab made: verdict.py yes|no REPORT.json

The first argument says whether the table was made to fill. The cause is churn (RC2) to port
6379; when the table was full the report must say so too (F2). Exit status 0 when named.
"""
import json
import sys


def main():
    was_full = sys.argv[1] == "yes"
    with open(sys.argv[2]) as f:
        report = json.load(f)
    said = [x for x in report["findings"] if x["severity"] in ("note", "warning", "critical")]
    named = [x for x in said if x["id"] == "RC2" and "6379" in x["sentence"]]
    if not named:
        print("   NO: no finding RC2 (churn) names port 6379.")
        return 1
    if was_full and not [x for x in said if x["id"] == "F2" and x["severity"] == "critical"]:
        print("   NO: the table was full, and no critical finding says so.")
        return 1
    print(f"   Yes: {named[0]['sentence']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
