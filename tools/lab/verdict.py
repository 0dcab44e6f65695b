#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the doctor's report names what the lab made: verdict.py yes|no REPORT.json

The first argument says whether the table was made to fill. The cause is churn (RC2) to port
6379; when the table was full the report must have seen it as well. Exit status 0 when named.
"""
import json
import sys


def main():
    was_full = sys.argv[1] == "yes"
    with open(sys.argv[2]) as f:
        report = json.load(f)
    named = [
        x for x in report["findings"]
        if x["id"] == "RC2" and x["severity"] in ("warning", "critical")
        and "6379" in json.dumps(x)
    ]
    if not named:
        print("   NO: no finding RC2 (churn) names port 6379.")
        return 1
    print(f"   Yes: {named[0]['sentence']}")
    if was_full and named[0]["severity"] != "critical":
        print("   But the table was full, and the finding is not critical.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
