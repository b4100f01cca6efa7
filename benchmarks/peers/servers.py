"""The servers of the peers: what each needs, how it is started, and how it is asked."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import environment
from benchmarks.processes import free_port, running

HERE = Path(__file__).resolve().parent

_LIGHTGBM = "lightgbm==4.7.0"
_WORKERS = 2


@dataclass(frozen=True)
class Trees:
    """The model that all serve.

    Attributes:
        path: of the trees, in LightGBM's text format.
    """

    path: Path

    @property
    def features(self) -> list[str]:
        """What the trees call the numbers of a row, in its order."""
        names = "feature_names="
        with self.path.open(encoding="utf-8") as lines:
            [line] = [line for line in lines if line.startswith(names)]
        return line.removeprefix(names).split()

    @property
    def folder(self) -> Path:
        """Where it lies; servers put beside it what they need."""
        return self.path.parent

    @property
    def environment(self) -> dict[str, str]:
        """How the servers are told of it."""
        return {
            "BENCHMARK_TREES": str(self.path),
            "BENCHMARK_FEATURES": str(len(self.features)),
            "OMP_NUM_THREADS": "1",
        }


@dataclass(frozen=True)
class Peer:
    """A server of models.

    Attributes:
        name: as people know it.
        requirements: what its environment has; the first is the server itself.
        started: runs it over trees, from the programs of its environment; gives the address that
            predicts.
        asked: what is posted to have one row predicted.
    """

    name: str
    requirements: tuple[str, ...]
    started: Callable[[Path, Trees], AbstractContextManager[str]]
    asked: Callable[[Sequence[str], list[float | None]], Any]

    @property
    def version(self) -> str:
        """The server's."""
        return self.requirements[0].partition("==")[2]

    @contextmanager
    def running(self, trees: Trees) -> Iterator[str]:
        """Install it where needed, and run it; yields the address that predicts.

        Raises:
            InstallFailed: it cannot be installed here.
            SystemExit: it does not start.
        """
        programs = environment(self.name.casefold(), self.requirements)
        with self.started(programs, trees) as address:
            yield address

    def bodies(self, trees: Trees, rows: Sequence[Sequence[float]]) -> list[str]:
        """For each row what is posted; a blank is null."""
        blanked = [[None if math.isnan(number) else number for number in row] for row in rows]
        features = trees.features
        return [json.dumps(self.asked(features, row)) for row in blanked]


@contextmanager
def _mlflow(programs: Path, trees: Trees) -> Iterator[str]:
    port, model = free_port(), trees.folder / "mlflow"
    script = HERE / "mlflow_model.py"
    if not model.exists():
        subprocess.run(
            [programs / "python", script, trees.path, model], check=True, capture_output=True
        )
    with running(
        [
            *(programs / "mlflow", "models", "serve", "--model-uri", model),
            *("--env-manager", "local", "--port", str(port), "--workers", str(_WORKERS)),
        ],
        ready=f"http://127.0.0.1:{port}/ping",
        log=trees.folder / "mlflow.log",
        environment=trees.environment | _first(programs),
    ):
        yield f"http://127.0.0.1:{port}/invocations"


@contextmanager
def _bentoml(programs: Path, trees: Trees) -> Iterator[str]:
    port = free_port()
    with running(
        [
            *(programs / "bentoml", "serve", "bentoml_service:Predictions"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        ready=f"http://127.0.0.1:{port}/readyz",
        log=trees.folder / "bentoml.log",
        environment=trees.environment | _first(programs) | {"BENTOML_DO_NOT_TRACK": "true"},
        folder=HERE,
    ):
        yield f"http://127.0.0.1:{port}/predict"


@contextmanager
def _litserve(programs: Path, trees: Trees) -> Iterator[str]:
    port = free_port()
    with running(
        [programs / "python", HERE / "litserve_server.py"],
        ready=f"http://127.0.0.1:{port}/health",
        log=trees.folder / "litserve.log",
        environment=trees.environment | {"BENCHMARK_PORT": str(port)},
    ):
        yield f"http://127.0.0.1:{port}/predict"


@contextmanager
def _mlserver(programs: Path, trees: Trees) -> Iterator[str]:
    port, folder = free_port(), trees.folder / "mlserver"
    folder.mkdir(exist_ok=True)
    # It knows the format by the end of the name.
    (folder / "trees.bst").write_bytes(trees.path.read_bytes())
    settings = json.loads((HERE / "mlserver" / "settings.json").read_text(encoding="utf-8"))
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    (folder / "settings.json").write_text(json.dumps(settings | ports), encoding="utf-8")
    model = (HERE / "mlserver" / "model-settings.json").read_bytes()
    (folder / "model-settings.json").write_bytes(model)
    with running(
        [programs / "mlserver", "start", folder],
        ready=f"http://127.0.0.1:{port}/v2/models/mlserver/ready",
        log=trees.folder / "mlserver.log",
        environment=trees.environment,
        folder=folder,
    ):
        yield f"http://127.0.0.1:{port}/v2/models/mlserver/infer"


def _first(programs: Path) -> dict[str, str]:
    """Programs that start others of their environment look for them on the PATH."""
    return {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin"}


PEERS = (
    Peer(
        "MLflow",
        ("mlflow==3.17.2", _LIGHTGBM),
        _mlflow,
        lambda names, row: {"dataframe_split": {"columns": names, "data": [row]}},
    ),
    Peer("BentoML", ("bentoml==1.4.40", _LIGHTGBM), _bentoml, lambda _, row: {"rows": [row]}),
    Peer("LitServe", ("litserve==0.2.19", _LIGHTGBM), _litserve, lambda _, row: {"row": row}),
    Peer(
        "MLServer",
        # Its workers do not start under a newer uvloop.
        ("mlserver==1.7.1", "mlserver-lightgbm==1.7.1", "uvloop==0.21.0", _LIGHTGBM),
        _mlserver,
        lambda _, row: {
            "id": "1",
            "inputs": [{"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": row}],
        },
    ),
)
