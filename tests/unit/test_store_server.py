"""A server that cannot be used at all is told apart before anything is asked of it."""

from jobchurn.store.schema import unfit_server


class Server:
    """Answers as a server of some version and encoding."""

    def __init__(self, version, encoding="UTF8"):
        self._answers = [version, encoding]

    def scalar(self, _query):
        return self._answers.pop(0)


def test_an_old_server_is_unfit():
    assert unfit_server(Server("140012")) == ("The server is PostgreSQL 14; 15 or newer is needed.")


def test_a_server_that_speaks_no_utf8_is_unfit():
    assert "SQL_ASCII" in unfit_server(Server("150000", "SQL_ASCII"))


def test_any_newer_server_is_fit():
    for version in ("150000", "180006", "210001"):
        assert unfit_server(Server(version)) is None
