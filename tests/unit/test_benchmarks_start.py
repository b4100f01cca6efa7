"""The look that figure 12 takes at the processes of a stack."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import start
from benchmarks.start import Look


def test_a_process_belongs_to_the_program_that_it_descends_from():
    telling = "import os; os.fork(); os.write(1, b'%d\\n' % os.getpid()); input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", telling],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        pids = {int(parent.stdout.readline()) for _ in range(2)}
        found = dict(start._family(os.getpid(), "above", {parent.pid: "program"}))
    finally:
        parent.communicate("\n\n", timeout=60)
    assert len(pids) == 2
    assert {found[pid] for pid in pids} == {"program"}
    assert found[os.getpid()] == "above"


def test_the_time_of_a_child_that_has_ended_is_its_parents():
    before = start._cpu_seconds(os.getpid())
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert start._cpu_seconds(os.getpid()) - before >= 0.27


def test_shared_memory_is_a_part_of_what_is_resident():
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert 0 < start._pss_gigabytes(os.getpid()) * 2**30 <= 2 * resident


def test_cpu_is_told_in_percent_of_one_core():
    first = Look(0.0, {}, {"a": 1.0, "b": 1.0})
    last = Look(10.0, {}, {"a": 2.0, "b": 1.5})
    assert last.cpu_since(first) == 15
    assert last.cpu_since(first, "b") == 5
