"""Ports for servers of tests; several runs on one machine take none from each other."""

import random
import socket

RANGE = range(20_000, 32_000)
"""Below those that the kernel gives to connections, and to whoever asks for any port."""

_claims: list[socket.socket] = []


def free_port() -> int:
    """A port on which nobody listens, and that nobody else is given by this while we run."""
    for port in random.sample(RANGE, len(RANGE)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            # A name without a file, which vanishes with the process that holds it (unix(7)).
            claim.bind(f"\0jobchurn-tests-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise RuntimeError("every port is taken")
