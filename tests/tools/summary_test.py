# SPDX-License-Identifier: BSD-2-Clause
"""tools/test-summary: what counts as passed, failed and skipped, and that nothing is lost.

    summary_test.py TEST_SUMMARY
"""

import json
import pathlib
import subprocess
import sys
import tempfile

TAP_GOOD = "1..3\nok 1 one\nok 2 two # SKIP needs root\nok 3 - three\n"
TAP_BAD = "1..2\nnot ok 1 one\n# why\nok 2 two\n"
TAP_SHORT = "1..3\nok 1 one\n"
TAP_LATE_PLAN = "ok 1 one\nok 2 two\n1..2\n"

# name, (result, exit status, output), passed, failed, skipped, a piece of what must be told
CASES = (
    ("single tests count", ("OK", 0, TAP_GOOD), 2, 0, 1, "skipped  unit t: two (needs root)"),
    ("a failed single test", ("FAIL", 1, TAP_BAD), 1, 1, 0, "FAILED   unit t: one\n         # why\n"),
    ("a program that ends early", ("ERROR", 139, TAP_SHORT), 1, 1, 0, "ended after 1 of 3 tests"),
    ("a plan at the end", ("OK", 0, TAP_LATE_PLAN), 2, 0, 0, ""),
    ("a bad status behind good tests", ("ERROR", 1, TAP_LATE_PLAN), 2, 1, 0, "FAILED   unit t"),
    ("too many tests", ("ERROR", 0, "1..1\nok 1 a\nok 2 b\n"), 2, 1, 0, "FAILED   unit t"),
    ("a bail out", ("ERROR", 1, "Bail out! no seeds\n"), 0, 1, 0, "FAILED   unit t"),
    ("all skipped", ("SKIP", 0, "1..0 # SKIP no kernel\n"), 0, 0, 1, "(no kernel)"),
    ("a plain program", ("OK", 0, "hello\n"), 1, 0, 0, ""),
    ("status 77", ("SKIP", 77, "SKIP: no module\n"), 0, 0, 1, "skipped  unit t (no module)"),
    ("a timeout", ("TIMEOUT", -15, TAP_SHORT), 1, 1, 0, "FAILED"),
    ("a crash without output", ("FAIL", -11, ""), 0, 1, 0, "exit status -11"),
)


def run(tool, *folders):
    done = subprocess.run([sys.executable, tool, *folders], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def write(folder, entries):
    logs = pathlib.Path(folder) / "meson-logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "testlog.json").write_text("".join(json.dumps(e) + "\n" for e in entries),
                                       encoding="utf-8")


def entry(result, status, output):
    return {"name": "conntune:unit / t", "result": result, "returncode": status,
            "stdout": output, "stderr": ""}


def main(tool):
    bad = 0

    def test(number, title, problem):
        nonlocal bad
        bad += bool(problem)
        print(f"{'not ' if problem else ''}ok {number} {title}")
        if problem:
            print("".join(f"# {line}\n" for line in problem.splitlines()), end="")

    print(f"1..{len(CASES) + 2}")
    good = entry("OK", 0, "fine\n")
    with tempfile.TemporaryDirectory() as folder:
        for number, (title, given, passed, failed, skipped, told) in enumerate(CASES, 1):
            write(folder, [good, entry(*given)])
            status, output = run(tool, folder)
            last = f"{passed + 1} passed, {failed} failed, {skipped} skipped"
            is_good = (output.splitlines()[-1:] == [last] and told in output
                       and status == (1 if failed else 0))
            test(number, title, "" if is_good else f"status {status}, not {last}:\n{output}")
        write(folder, [good])
        status, output = run(tool, folder, folder + "/nowhere")
        test(len(CASES) + 1, "a folder where nothing ran is a failure",
             "" if status == 1 and "1 passed, 1 failed" in output else output)
        write(folder, [])
        status, output = run(tool, folder)
        test(len(CASES) + 2, "no tests at all is a failure", "" if status == 1 else output)
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
