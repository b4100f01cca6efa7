"""A process that uses the embedded PostgreSQL: ``python postgres_user.py HOME PORT``.

Prints the database's URL once it is served, and leaves when its input ends.
"""

import sys
from pathlib import Path

from jobchurn.postgres import serving
from jobchurn.settings import Settings

home, port = Path(sys.argv[1]), int(sys.argv[2])
settings = Settings(jobchurn_home=home, database_url=None, postgres_port=port)
with serving(settings) as url:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    sys.stdin.read()
