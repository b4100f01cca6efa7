#!/usr/bin/env python3
"""Whether a service answers: ``healthy URL [FIELD.FIELD=VALUE]``, for health checks of containers.

Success is a status of 2xx and, where a field is named, that value of it in the answer's JSON.
Standard library only: it runs every few seconds, in images without curl.
"""

from __future__ import annotations

import json
import sys
from urllib.error import URLError
from urllib.request import urlopen

SECONDS = 4.0


def main(url: str, wanted: str = "") -> str | None:
    """What is wrong, or ``None``."""
    if not url.startswith(("http://", "https://")):
        return f"{url} is no address"
    try:
        with urlopen(url, timeout=SECONDS) as answer:  # noqa: S310  (checked above)
            content = answer.read()
    except (URLError, OSError) as error:
        return f"{url}: {error}"
    if not wanted:
        return None
    path, _, value = wanted.partition("=")
    found = json.loads(content)
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return None if found == value else f"{url}: {path} is {found!r}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
