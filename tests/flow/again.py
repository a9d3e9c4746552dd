# SPDX-License-Identifier: MIT
"""What failed, once more and alone: `again.py MOST REPORT.xml... -- PYTEST WORDS...`. The automatic checks run on machines that others load; a test that
fails there and not here is named aloud (a race, in it or in the program, is still to be found) but does not stop what it has nothing to do with.
More failures than MOST are no chance: they stand. Exit code 0: all of them came right."""

import subprocess
import sys
import xml.etree.ElementTree as tree


def failed(report):
    for case in tree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            yield case.get("classname").replace(".", "/") + ".py::" + case.get("name")


def main(most, *words):
    at = words.index("--")
    names = [name for report in words[:at] for name in failed(report)]
    if not 0 < len(names) <= int(most):
        return 1
    code = subprocess.run([sys.executable, "-m", "pytest", *words[at + 1:], *names]).returncode
    for name in names:
        print(f"again: {name}: failed, then {'passed' if code == 0 else 'was run alone, see above'}")
    return code


sys.exit(main(*sys.argv[1:]))
