"""Runs the services of compose.yaml in their images without an engine, and says how each fared.

``deploy/build_images.sh`` calls it as root, in namespaces of its own, with a folder for the volumes
and, for each image, its mounted root and what ``buildah inspect`` says of it::

    try_services.py VOLUMES jobchurn-api=ROOT:INSPECTION jobchurn-full=ROOT:INSPECTION

Each service gets what compose.yaml says: its command behind the image's entrypoint, environment,
volumes with their modes, temporary folders, working folder, the image's user without capabilities
or new privileges, a root that is read-only where it says so, and its own health check; services
start in the order of ``depends_on``. All share one network namespace without a way out, in which
the services' names mean 127.0.0.1. PostgreSQL's image is not here: the server that the full image
carries stands in for it. Grafana is left out.

At the end raw files must have become predictions by way of Airflow, which the API is asked.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml

COMPOSE = Path(__file__).resolve().parent.parent / "compose.yaml"
NAMES = ("postgres", "api", "webapp", "airflow-apiserver")
LEFT_OUT = ("grafana",)
HEALTHY_SECONDS = 300
PREDICTED_SECONDS = 420

POSTGRES = """
    bin=$(dirname "$(find /opt/venv -path '*/bin/initdb' | head -n 1)")
    data=$PGDATA/stand-in
    [ -e "$data/PG_VERSION" ] || "$bin/initdb" $POSTGRES_INITDB_ARGS --pgdata "$data" \\
        --username postgres --pwfile "$POSTGRES_PASSWORD_FILE" --auth-local scram-sha-256
    exec "$bin/postgres" -D "$data" -c listen_addresses=127.0.0.1 -c port=5432 \\
        -c unix_socket_directories=/var/run/postgresql -c fsync=off
"""
ANSWERS = "import socket; socket.create_connection(('127.0.0.1', 5432), 2)"

Service = dict[str, Any]


def interpolated(text: str, environment: Mapping[str, str]) -> str:
    """``text`` with compose's ``${NAME:-default}``, ``${NAME:+value}`` and ``$$`` resolved."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given, rest = environment.get(found["name"], ""), found["rest"] or ""
        if found["sign"] == ":+":
            return interpolated(rest, environment) if given else ""
        return given or interpolated(rest, environment)

    rest = r"(?P<rest>(?:[^${}]|\$\{[^{}]*\})*)"
    return re.sub(rf"\$\$|\$\{{(?P<name>\w+)(?:(?P<sign>:[-+]){rest})?\}}", value, text)


def services_of(path: Path, environment: Mapping[str, str]) -> dict[str, Service]:
    """The services of a compose file, every value interpolated."""

    def resolved(node: Any) -> Any:
        if isinstance(node, str):
            return interpolated(node, environment)
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if isinstance(node, dict):
            return {name: resolved(item) for name, item in node.items()}
        return node

    content = resolved(yaml.safe_load(path.read_text(encoding="utf-8")))
    services: dict[str, Service] = content["services"]
    return services


def in_order(services: Mapping[str, Service]) -> Iterator[str]:
    """The services' names, each after all that it depends on.

    Raises:
        ValueError: they depend on each other in a circle.
    """
    done: set[str] = set()
    while len(done) < len(services):
        ready = [
            name
            for name, service in services.items()
            if name not in done and done >= service.get("depends_on", {}).keys()
        ]
        if not ready:
            raise ValueError("the services depend on each other in a circle")
        yield ready[0]
        done.add(ready[0])


@dataclass(frozen=True)
class Image:
    """A built image: the folder of its mounted root, and its configuration."""

    root: Path
    config: Mapping[str, Any]

    @classmethod
    def read(cls, folder: str, inspection: str) -> Image:
        """The image that ``buildah inspect`` described in a file."""
        described = json.loads(Path(inspection).read_text(encoding="utf-8"))
        return cls(Path(folder), described["OCIv1"]["config"])

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        pairs = (pair.partition("=") for pair in self.config.get("Env", []))
        return {name: value for name, _, value in pairs}


@dataclass
class Trial:
    """One run of all services.

    Attributes:
        images: by name.
        volumes: the folder that stands for an engine's volumes; logs lie there too.
        running: service → its process.
    """

    images: Mapping[str, Image]
    volumes: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, name: str, service: Service) -> str:
        """Start a service and wait until it is healthy or has ended well.

        Returns:
            how it went, in words.

        Raises:
            RuntimeError: it did not come up; the message ends with its log.
        """
        begun = time.monotonic()
        check = service.get("healthcheck", {}).get("test", [])[1:]
        log = self.volumes / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                self._command(name, service),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = process
        while time.monotonic() - begun < HEALTHY_SECONDS:
            ended = process.poll()
            took = f"{time.monotonic() - begun:.0f} s"
            if ended == 0 and not check:
                return f"ended well after {took}"
            if ended is not None:
                break
            if check and self._passes(name, service, check):
                return f"healthy after {took}"
            if service.get("restart") == "on-failure" and not check:
                return "running"
            time.sleep(1)
        end = log.read_text(encoding="utf-8", errors="replace")[-6000:]
        raise RuntimeError(f"{name} did not come up (exit code {process.poll()}):\n{end}")

    def stop(self) -> None:
        """End what runs, the last first."""
        for process in reversed(self.running.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=40)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _passes(self, name: str, service: Service, check: list[str]) -> bool:
        command = self._command(name, service, check)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603

    def _command(self, name: str, service: Service, check: list[str] | None = None) -> list[str]:
        """What runs a service's command, or a check in its place."""
        if name == "postgres":
            image, user = self.images["jobchurn-full"], "999:999"
            words = ["python", "-c", ANSWERS] if check else ["sh", "-euc", POSTGRES]
            environment = image.environment | {"PGDATA": "/var/lib/postgresql/data"}
        else:
            image = self.images[service["image"].partition(":")[0]]
            user, environment = image.config["User"], image.environment
            words = check or [
                *image.config["Entrypoint"],
                *map(str, service.get("command") or image.config["Cmd"]),
            ]
        environment |= {k: str(v) for k, v in service.get("environment", {}).items()}
        folder = service.get("working_dir", image.config["WorkingDir"])
        steps = self._mounts(image, service, user)
        steps.append(
            f"exec chroot --userspec={user} --groups= {self._root} "
            "/usr/bin/setpriv --no-new-privs --inh-caps=-all "
            f"/usr/bin/env --ignore-environment --chdir={folder} "
            + shlex.join([*(f"{k}={v}" for k, v in environment.items()), *words])
        )
        return ["unshare", "--mount", "--propagation=private", "sh", "-euc", "\n".join(steps)]

    @property
    def _root(self) -> Path:
        """Where each service, in a mount namespace of its own, has its root."""
        return self.volumes / "root"

    def _mounts(self, image: Image, service: Service, user: str) -> list[str]:
        root = self._root
        steps = [
            f"mount --bind {image.root} {root}",
            f"mount --bind {self.volumes / 'hosts'} {self._inside(image, '/etc/hosts')}",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
        ]
        for entry in service.get("tmpfs", []):
            place, options = entry.split(":")
            place = self._inside(image, place)
            steps.append(f"mkdir -p {place} && mount -t tmpfs -o {options} tmpfs {place}")
        for entry in service.get("volumes", []):
            source, place, *mode = entry.split(":")
            inside = self._inside(image, place)
            if source.startswith("/"):
                steps.append(f"mkdir -p {inside.parent} && touch {inside}")
                steps.append(f"mount --bind {source} {inside}")
            else:
                folder = self._volume(source, image.root / place[1:], user)
                steps.append(f"mkdir -p {inside} && mount --bind {folder} {inside}")
            if "ro" in mode:
                steps.append(f"mount -o remount,bind,ro {inside}")
        if service.get("read_only"):
            steps.append(f"mount -o remount,bind,ro {root}")
        return steps

    def _inside(self, image: Image, place: str) -> Path:
        """A place of the service, seen from outside.

        Raises:
            ValueError: a link of the image leads out of it, which an engine would follow inside.
        """
        place = place.replace("/var/run/", "/run/")  # Debian's link, followed here
        if not (image.root / place[1:]).resolve().is_relative_to(image.root.resolve()):
            raise ValueError(f"{place} is behind a link that leads out of {image.root}")
        return self._root / place[1:]

    def _volume(self, name: str, model: Path, user: str) -> Path:
        """A volume's folder; a new one takes owner and mode from the image's, as an engine does."""
        folder = self.volumes / f"volume-{name}"
        if not folder.exists():
            folder.mkdir()
            if model.is_dir():
                shutil.copymode(model, folder)
                os.chown(folder, model.stat().st_uid, model.stat().st_gid)
            else:
                os.chown(folder, *map(int, user.split(":")))
        return folder


def main(volumes: Path, images: Mapping[str, Image]) -> None:
    """Try all services, then wait until Airflow has ingested and scored a file."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607
    shutil.rmtree(volumes, ignore_errors=True)
    (volumes / "root").mkdir(parents=True)
    hosts = f"127.0.0.1 localhost {' '.join(NAMES)}\n"
    (volumes / "hosts").write_text(hosts, encoding="utf-8")
    with (images["jobchurn-full"].root / "etc/passwd").open("a", encoding="utf-8") as users:
        users.write("postgres:x:999:999::/tmp:/bin/sh\n")  # as in PostgreSQL's own image
    services = services_of(COMPOSE, {"DEMO": os.environ.get("DEMO", "0")})
    trial = Trial(images, volumes)
    try:
        for name in in_order(services):
            told = "left out" if name in LEFT_OUT else trial.run(name, services[name])
            tell(f"{name:22} {told}")
        check_the_door()
        tell(await_prediction(web_app_key(volumes)))
    finally:
        trial.stop()


def check_the_door() -> None:
    """See that the API asks for a key.

    Raises:
        RuntimeError: it does not.
    """
    try:
        newest_prediction("none")
    except HTTPError as refused:
        if refused.code == HTTPStatus.UNAUTHORIZED:
            return
    raise RuntimeError("the API answers whoever has no key")


def web_app_key(volumes: Path) -> str:
    """The key with which the web app asks the API."""
    return (volumes / "volume-secrets-webapp" / "API_KEY").read_text(encoding="utf-8")


def await_prediction(key: str) -> str:
    """Wait until Airflow has had a file ingested and its rows predicted.

    Args:
        key: with which the API is asked.

    Raises:
        RuntimeError: it has not in time.
    """
    begun = time.monotonic()
    first = newest_prediction(key)  # by ``bootstrap``; after it, Airflow alone predicts files
    while (took := time.monotonic() - begun) < PREDICTED_SECONDS:
        if newest_prediction(key) != first:
            return f"Airflow's first prediction was stored after {took:.0f} s more."
        time.sleep(5)
    raise RuntimeError(f"Airflow made no prediction within {PREDICTED_SECONDS} s")


def newest_prediction(key: str) -> object:
    """When the newest prediction of a file was stored, or ``None``."""
    address = "http://127.0.0.1:8000/past-predictions?source=scheduled&limit=1"
    asked = Request(address, headers={"Authorization": f"Bearer {key}"})
    with urlopen(asked, timeout=10) as answer:  # noqa: S310  (the address is ours)
        rows = json.load(answer)["rows"]
    return rows[0]["created_at"] if rows else None


def tell(text: str) -> None:
    """Say it at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    named = (argument.partition("=") for argument in sys.argv[2:])
    main(
        Path(sys.argv[1]).absolute(),
        {name: Image.read(*paths.split(":")) for name, _, paths in named},
    )
