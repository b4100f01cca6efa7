"""A process that has loaded everything once, and forks a worker for each life that is to be lived.

``python -m faults.nursery`` (with ``tests`` on the path) takes one request a line, in JSON, and
answers with one line when the worker has ended. A worker is a process as any other: it opens its
own connections, and it may be killed. See :class:`Nursery` for the other side of the pipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from faults.boundaries import Death

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Life:
    """How a worker ended.

    Attributes:
        code: its exit code, or the signal that killed it as a negative number.
        trace: the boundaries that it met; empty where it was killed.
        said: what it wrote, tracebacks included.
    """

    code: int
    trace: list[str]
    said: str


class Nursery:
    """Starts workers of :mod:`faults.worker` in a moment each."""

    def __init__(self, **environment: str) -> None:
        paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
            | environment,
        )

    def begin(
        self,
        home,
        database,
        death: Death | None = None,
        plant: str | None = None,
        **settings,
    ) -> int:
        """Let a worker take in and score all there is; its process's number."""
        request = {
            "home": str(home),
            "database": database,
            "death": asdict(death) if death else None,
            "plant": plant,
            "settings": settings,
        }
        return self._ask({"begin": request})

    def end_of(self, worker: int) -> Life:
        """Wait until a worker has ended."""
        return Life(**self._ask({"end_of": worker}))

    def live(self, home, database, death=None, plant=None, **settings) -> Life:
        """Let one worker live from begin to end."""
        return self.end_of(self.begin(home, database, death, plant, **settings))

    def _ask(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._log.seek(0)
            raise RuntimeError(self._log.read().decode(errors="replace"))
        return json.loads(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._log.close()


def main() -> None:
    """Serve requests until the input ends."""
    from faults import worker
    from faults.clock import sleep_by_waiting

    sleep_by_waiting()
    worker.warm_up()
    living: dict[int, tuple[IO[str], IO[str]]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "begin" in request:
            asked = request["begin"]
            asked["death"] = Death(**asked["death"]) if asked["death"] else None
            child, *outputs = _begun(worker, asked)
            living[child] = (outputs[0], outputs[1])
            answer: object = child
        else:
            child = request["end_of"]
            answer = asdict(_ended(child, *living.pop(child)))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _begun(worker, asked) -> tuple[int, IO[str], IO[str]]:
    said, trace = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(said.fileno(), 2)
            with redirect_stdout(sys.stderr):
                json.dump(worker.work(**asked), trace)
            trace.flush()
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child, said, trace


def _ended(child: int, said: IO[str], trace: IO[str]) -> Life:
    with said, trace:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        trace.seek(0)
        return Life(code, json.loads(trace.read() or "[]"), said.read())


if __name__ == "__main__":
    main()
