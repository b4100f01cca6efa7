"""What `up` shows, where it cannot be shown."""

import errno

import pytest

from jobchurn.stack.display import Display


@pytest.fixture
def broken(monkeypatch):
    """A display whose every word fails with this number."""

    def broken(number):
        def fails(*_, **__):
            raise OSError(number, "it failed")

        display = Display()
        monkeypatch.setattr(display._console, "print", fails)
        return display

    return broken


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_sentence_that_a_full_disk_does_not_take_ends_nothing(broken, number):
    broken(number).note("a service was restarted")


def test_a_terminal_that_is_gone_is_told_of(broken):
    with pytest.raises(BrokenPipeError):
        broken(errno.EPIPE).say("a service was restarted")
