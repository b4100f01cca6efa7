"""How the command line shows what came from elsewhere."""

import pytest

from jobchurn.cli import show


def test_notes_go_to_stderr_and_tables_to_stdout(capsys):
    show.note("a note")
    show.table("Title", ("name", "n"), [("a", 1)])
    out, err = capsys.readouterr()
    assert err == "a note\n"
    assert "Title" in out


@pytest.mark.parametrize(
    "name", ["\x1b[31mred", "r\udce9sum\udce9.csv", "a\rb", "[/] [red]b[/red]"]
)
def test_a_name_of_any_bytes_is_shown_and_steers_no_terminal(capsys, name):
    show.note(name)
    show.table("Title", ("name",), [(name,)])
    out, err = capsys.readouterr()
    assert show.harmless(name) in out
    assert show.harmless(name) + "\n" == err
    assert show.harmless(name).isprintable()


def test_a_plain_text_of_several_lines_is_shown_as_it_is():
    assert show.harmless("Größe: „5“\n[x]") == "Größe: „5“\n[x]"


def test_a_table_in_a_pipe_has_room_for_what_it_says(capsys):
    cells = ("x" * 50, "y" * 60)
    show.table("Title", ("one", "other"), [cells])
    [line] = [line for line in capsys.readouterr().out.splitlines() if "x" in line]
    assert all(cell in line for cell in cells)


def test_numbers_stand_to_the_right(capsys):
    show.table(
        "Title",
        ("name", "n"),
        [
            ("a", 1),
            ("b", 1000),
        ],
    )
    assert "│    1 │" in capsys.readouterr().out


def test_nothing_is_an_empty_cell(capsys):
    show.table("Title", ("name",), [(None,)])
    assert "None" not in capsys.readouterr().out
