"""How long the HTML report of many requests takes, and how large it is: ``python benchmarks/report.py [requests]``.

The built-in workload azure-conv under FCFS and SVF, and under the nine policies of ``plimsoll compare``; the runs are
not counted, what is read, drawn and packed from them is. Compiled code is cached by a small comparison before.
"""

import sys
import time

from plimsoll import read_trace, rounds
from plimsoll.cli.compare import POLICIES
from plimsoll.experiment.run import compare
from plimsoll.named import names
from plimsoll.report.page import report_page

CAPACITY = 65_000


def main():
    """Print one line for each set of policies."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    host = rounds(capacity=CAPACITY)
    for policies in ("fcfs,svf", POLICIES):
        compare(read_trace("azure-conv", requests=100), names(policies), host)
        began = time.perf_counter()
        trace = read_trace(f"azure-conv?requests={requests}")
        runs = compare(trace, names(policies), host)
        ran = time.perf_counter()
        page = report_page(trace, runs)
        done = time.perf_counter()
        size = len(page.encode()) / 1e6
        print(
            f"{requests:>9,} requests, {len(runs)} policies: runs and bounds {ran - began:5.1f} s, "
            f"report {done - ran:5.1f} s, {size:.2f} MB"
        )


if __name__ == "__main__":
    main()
