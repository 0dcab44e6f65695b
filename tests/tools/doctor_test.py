# SPDX-License-Identifier: BSD-2-Clause
"""tools/doctor: findings are an answer, not a failure of make; a failure stays one.

    doctor_test.py DOCTOR
"""

import pathlib
import subprocess
import sys
import tempfile

# the command's exit status, the tool's, a word that must be told
CASES = ((0, 0, "nothing found"), (3, 0, "findings above"), (1, 1, ""), (2, 2, ""))


def main(tool):
    bad = 0
    print(f"1..{len(CASES)}")
    with tempfile.TemporaryDirectory() as folder:
        command = pathlib.Path(folder) / "src/app/conntune"
        command.parent.mkdir(parents=True)
        for number, (status, want, told) in enumerate(CASES, 1):
            command.write_text(f"#!/bin/sh\necho the diagnosis\nexit {status}\n", encoding="utf-8")
            command.chmod(0o755)
            done = subprocess.run([tool, folder], text=True, stdout=subprocess.PIPE, check=False)
            is_good = (done.returncode == want and told in done.stdout
                       and done.stdout.startswith("the diagnosis\n"))
            bad += not is_good
            print(f"{'' if is_good else 'not '}ok {number} status {status} becomes {want}")
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
