"""The embedded PostgreSQL: found on this machine, made in the home, run while it is needed.

Without ``DATABASE_URL`` the data lies under ``<home>/postgres``, and a server listens on loopback
only, with a generated password (``<home>/postgres.password``); those of the services' own users lie
in ``<home>/secrets``. Either a supervisor runs it
(:meth:`EmbeddedPostgres.command`), or the commands that need one share it (:func:`serving`).
"""

from jobchurn.postgres.archive import dump, restore
from jobchurn.postgres.binaries import find_binaries
from jobchurn.postgres.passwords import password_of
from jobchurn.postgres.server import EmbeddedPostgres
from jobchurn.postgres.sharing import serving

__all__ = ["EmbeddedPostgres", "dump", "find_binaries", "password_of", "restore", "serving"]
