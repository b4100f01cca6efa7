"""A page loses what it shows of some rows, and nothing else."""

import dataclasses
import html
import re
from datetime import UTC, datetime

from jobchurn import quality, report
from jobchurn.contract import JOB_CHANGE, Kind
from jobchurn.verdict import Reason, StructureRule, Verdict
from small_model import random_records

TEXT = next(c.name for c in JOB_CHANGE.columns if c.kind is Kind.TEXT)
CLOSED = next(c.name for c in JOB_CHANGE.columns if c.is_closed)
WHEN = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
THEIRS = "<i>Mx O'Test & Co</i>"
"""Of the one row that is to go."""


def words(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def columns(rows=12):
    records = random_records(JOB_CHANGE, rows, seed=3)
    found = {c.name: [c.write(record[c.name]) for record in records] for c in JOB_CHANGE.columns}
    found[TEXT] = ["known"] * rows
    return found


def page_of(verdict):
    return report.render(
        verdict, JOB_CHANGE, file="a.csv", sha256="ab" * 32, criticality="low", started_at=WHEN
    )


def judged(changes, known=None):
    found = columns()
    for row, name, text in changes:
        found[name][row - 1] = text
    return quality.judge(found, JOB_CHANGE, rows=12, known_levels=known)


def test_a_bad_row_s_texts_go_with_the_words_on_them():
    verdict = judged([(4, CLOSED, THEIRS), (9, CLOSED, "somebody else's")])
    page = page_of(verdict)
    assert html.escape(THEIRS)[:12] in page
    said = [THEIRS, *(reason.message for reason in verdict.bad[4])]
    after = report.without(page, rows={4}, said=said)
    for trace in ("Mx O", "Test &amp; Co"):
        assert trace not in after
    assert "somebody else" in after
    assert report.without(after, rows={4}, said=said) == after
    assert report.REMOVED in words(after)
    for tag in ("<tr", "</td>", "<bdi", "</section>"):
        lost = page.count(tag) - after.count(tag)
        assert lost == (2 if tag == "<bdi" else 0), tag  # those around the text and its message


def test_a_page_that_shows_nothing_of_theirs_stays_as_it_is():
    page = page_of(judged([(9, CLOSED, "somebody else's")]))
    assert report.without(page, rows={4}, said=[THEIRS], levels=[THEIRS]) == page


def test_a_row_of_more_than_three_digits_is_found_by_its_number():
    many = dict(enumerate([(Reason(1234, CLOSED, "domain", THEIRS, "no"),)], 1234))
    verdict = Verdict(rows_total=2000, bad=many)
    assert "Mx O" in page_of(verdict)
    assert "Mx O" not in report.without(page_of(verdict), rows={1234})


def test_a_level_is_not_noted_any_more():
    known = {TEXT: ["known"]}
    verdict = judged([(4, TEXT, THEIRS), (5, TEXT, THEIRS), (9, TEXT, "other")], known=known)
    after = report.without(page_of(verdict), levels=[THEIRS])
    assert "Mx O" not in after
    assert "other" in after
    assert any("Mx O" in note for note in verdict.notes)
    [kept] = [note for note in report.notes_without(verdict.notes, [THEIRS]) if "other" in note]
    assert f"{report.REMOVED} (2), 'other' (1)" in kept


def test_a_level_in_a_note_that_was_cut_off_goes_too():
    note = f"{'x' * 285}: {THEIRS!r} (1), more"
    page = page_of(Verdict(rows_total=1, notes=(note,)))
    assert "Mx O" in page
    assert "Mx O" not in report.without(page, levels=[THEIRS])


def test_what_is_shown_of_a_refused_file_goes():
    refusal = Reason(None, None, StructureRule.DELIMITER, "1;Mx O;2", "Mx O", "1,Mx O,2")
    page = page_of(Verdict(rows_total=0, refusal=refusal))
    after = report.without(page, refusal=True)
    assert "Mx O" in page
    assert "Mx O" not in after
    assert words(after).count(report.REMOVED) == 1
    plain = page_of(dataclasses.replace(Verdict(rows_total=0), notes=()))
    assert report.without(plain, refusal=True) == plain
