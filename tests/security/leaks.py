"""Secrets looked for wherever they may have been written down, in whatever form."""

import base64
import html
import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

ROOT = Path(__file__).parents[2]


def forms(secret):
    """A secret as it is, in an address, in JSON, in HTML, in hexadecimal digits, in base64.

    In base64 its letters depend on what stands before it: of each of the three ways in which it may
    lie there, the part is looked for that depends on the secret alone.
    """
    plain = secret.encode()
    found = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        html.escape(secret),
        plain.hex(),
        plain.hex().upper(),
    }
    for before in range(3):
        written = base64.b64encode(b"\0" * before + plain).decode().rstrip("=")
        # The first letters share bits with what stands before, the last one with what follows.
        core = written[(before * 8 + 5) // 6 : (before + len(plain)) * 8 // 6]
        found |= {core, core.translate(str.maketrans("+/", "-_"))}
    return {form.encode() for form in found}


class Search:
    """Looks for some secrets; remembers how each may be written.

    Args:
        secrets: what each is called → the secret.
    """

    def __init__(self, secrets):
        assert min(map(len, secrets.values())) >= 12, "shorter ones are found by chance"
        self.secrets = dict(secrets)
        self._forms = {name: forms(secret) for name, secret in secrets.items()}

    def within(self, content):
        """The names of those secrets that bytes, or a text, hold in any form."""
        content = (
            content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        )
        return {name for name, all_ in self._forms.items() if any(form in content for form in all_)}

    def plainly_within(self, content):
        """Likewise, but only as they are: what is large is searched so."""
        return {name for name, secret in self.secrets.items() if secret.encode() in content}


def repository_files(*which):
    """The repository's files, by default those that are kept; ``None`` where it is no checkout.

    Args:
        which: options of ``git ls-files``.
    """
    done = subprocess.run(
        ["git", "ls-files", "-z", *which], cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode:
        return None
    return [ROOT / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def leaked(content, secrets):
    """The names of those secrets that bytes hold in any form."""
    return Search(secrets).within(content)


def in_files(folder, search, *, allowed=lambda _path, _name: False, large=()):
    """Files below a folder that hold what they may not, or that others than their owner may read.

    Args:
        folder: the folder.
        search: the secrets.
        allowed: whether a file, by its path in the folder, may hold a secret, if nobody else may
            read it.
        large: the names of folders right below whose files are searched for plain secrets alone.

    Yields:
        path, the secret's name.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        place = path.relative_to(folder)
        try:
            content, mode = path.read_bytes(), path.stat().st_mode
        except FileNotFoundError:
            continue  # the database's come and go
        look = search.plainly_within if place.parts[0] in large else search.within
        for name in look(content):
            if mode & 0o077 or not allowed(str(place), name):
                yield str(place), name


def in_tables(urls, search):
    """Tables of databases that hold a secret: database.schema.table, the secret's name."""
    for url in urls:
        with psycopg.connect(url) as connection:
            database = connection.info.dbname
            tables = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE tablename <> 'pg_authid'"
            ).fetchall()
            for schema, table in tables:
                every = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
                rows = connection.execute(every).fetchall()
                for name in search.within("\n".join(row or "" for (row,) in rows)):
                    yield f"{database}.{schema}.{table}", name


_YOUNG_SECONDS = 1.0
"""A process that is older has become what it was started for, and is looked at less often."""

_EVERY_SECONDS = 2.0


def _processes():
    return Path("/proc").glob("[0-9]*")


class ProcessList:
    """The command lines and environments of every process that was seen, as the kernel has them."""

    def __init__(self):
        self.seen = set()
        self._ended = threading.Event()
        self._since = {}

    @contextmanager
    def watching(self):
        """Look again and again, so that what lives for a moment is seen too."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
            self.look()

    def _watch(self):
        looked = 0.0
        while not self._ended.wait(0.05):
            now = time.monotonic()
            young = {path.name for path in _processes() if self._is_young(path.name, now)}
            if now - looked > _EVERY_SECONDS:
                self.look()
                looked = now
            else:
                self.look(young)

    def _is_young(self, pid, now):
        return now - self._since.setdefault(pid, now) < _YOUNG_SECONDS

    def look(self, pids=None):
        """Note processes that there are now; by default all."""
        for process in map(Path("/proc").joinpath, pids) if pids is not None else _processes():
            try:
                command = (process / "cmdline").read_bytes()
                environment = (process / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or is another user's
            self.seen.add((command, environment))

    def of_home(self, home):
        """Command line and variables of those that were told of a home."""
        told = b"JOBCHURN_HOME=" + os.fsencode(home)
        for command, environment in self.seen:
            variables = environment.split(b"\0")
            if told in variables:
                yield (
                    command.replace(b"\0", b" ").decode(errors="replace"),
                    dict(one.partition(b"=")[::2] for one in variables if one),
                )
