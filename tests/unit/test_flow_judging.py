"""A file is judged in memory that has a bound, and what is said of it does not depend on that."""

import gc
import sys
from dataclasses import replace

import pytest

from jobchurn import files
from jobchurn.contract import JOB_CHANGE
from jobchurn.flow import judging, staged
from jobchurn.quality import Judge

HEAD = "enrollee_id,city,city_development_index,relevent_experience,training_hours\n"
PIECE = 20_000
LENGTH = 9_000
JUDGE = Judge.take.__globals__
KNOWN = {"city": ("city_1",)}


def row(number, city="city_1", index="0.5", notes=""):
    return f"{number},{city},{index},Has relevent experience,1{notes}\n"


def long(number, filler="x", length=LENGTH):
    """A city; without control characters to fill it up it is the number."""
    return f"{number:x}".ljust(length, filler)


KINDS = {
    "too long": lambda n: row(n, city=long(n)),
    "with a likely repair": lambda n: row(n, city=long(n, filler="\x01")),
    "no number": lambda n: row(n, index=long(n)),
    "admitted": lambda n: row(n, index=f"0.{n:04}".ljust(LENGTH, "0")),
    "quoted": lambda n: row(n, city=f'"{long(n)}"'),
}


def judged(tmp_path, text, contract=JOB_CHANGE, piece=PIECE):
    """The verdict on a file of that text; and what was written down."""
    path = tmp_path / "a.csv"
    path.write_text(text)
    with files.reading(path, contract, piece) as reading:
        verdict = judging.judged(reading, contract, tmp_path, known_levels=KNOWN)
    return verdict, (tmp_path / "reasons.jsonl").read_bytes(), (tmp_path / "bad.runs").read_bytes()


def held_by(*roots):
    """How many bytes the texts take that can be reached from objects, each counted once."""
    seen, todo, size = set(), [*roots], 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ in ("module", "function"):
            continue
        seen.add(id(one))
        size += sys.getsizeof(one) if isinstance(one, str | bytes) else 0
        todo += gc.get_referents(one)
    return size


@pytest.fixture
def held(monkeypatch):
    """What judge and coder hold, after each sheet."""
    found = []
    take, init = Judge.take, files.Coder.__init__
    coders = []

    def remembered(self, contract):
        coders.append(self)
        init(self, contract)

    def measured(self, *arguments):
        doubtful = take(self, *arguments)
        found.append(held_by(self, coders[-1]))
        return doubtful

    monkeypatch.setattr(files.Coder, "__init__", remembered)
    monkeypatch.setattr(Judge, "take", measured)
    return found


@pytest.fixture
def frugal(monkeypatch):
    """Little may wait to be judged, and few bad rows are listed."""
    monkeypatch.setattr("jobchurn.report.SAMPLE", 2)
    monkeypatch.setitem(JUDGE, "_WAITING_BYTES", 10 * LENGTH)
    monkeypatch.setattr("jobchurn.quality.column._UNJUDGED_BYTES", 10 * LENGTH)


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_held_does_not_grow_with_cells_that_are_long_and_distinct(kind, held, tmp_path):
    judged(tmp_path, HEAD + "".join(map(kind, range(1, 151))))
    sheets = len(held)
    early, late = max(held[: sheets // 3]), max(held[2 * sheets // 3 :])
    assert late - early < 20 * LENGTH  # the file grew by 100 of them


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_verdict_is_the_same_however_much_may_wait(kind, tmp_path, monkeypatch):
    lines = [kind(number % 30 + 1) for number in range(60)]
    text = HEAD + "".join(lines) + row(99, city="") + row(100, city="x" * 65) * 2
    at_ease = judged(tmp_path, text)
    monkeypatch.setitem(JUDGE, "_WAITING_BYTES", 0)
    monkeypatch.setattr("jobchurn.quality.column._UNJUDGED_BYTES", 0)
    assert judged(tmp_path, text) == at_ease
    assert (at_ease[0].rows_invalid == 3) == (kind is KINDS["admitted"])


def test_for_how_many_texts_a_repair_is_looked_for_does_not_depend_on_how_much_may_wait(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(files.Coder.coded.__globals__, "KEPT", 3)
    monkeypatch.setitem(JUDGE, "_WAITING", 40)
    monkeypatch.setattr("jobchurn.quality.column._COUNTED", 5)
    monkeypatch.setattr("jobchurn.quality.reasoning._REPAIRS", 12)
    text = HEAD + "".join(row(n, city=long(n, filler="\x01")) for n in range(1, 101))
    at_ease = judged(tmp_path, text)
    monkeypatch.setitem(JUDGE, "_WAITING_BYTES", 0)
    assert judged(tmp_path, text) == at_ease
    assert 12 < at_ease[1].count(b'"repair": "') < 100


def test_refused_texts_that_are_long_are_remembered_like_short_ones(tmp_path, monkeypatch):
    monkeypatch.setitem(JUDGE, "_WAITING", 10)
    monkeypatch.setattr("jobchurn.quality.column._COUNTED", 5)
    monkeypatch.setattr("jobchurn.quality.reasoning._REPAIRS", 12)
    monkeypatch.setitem(files.Coder.coded.__globals__, "KEPT", 30)
    counts = []
    for length in (100, 256, 257, LENGTH):
        cities = [long(n, filler="\x01", length=length) for n in range(100)]
        text = HEAD + "".join(row(n, city=city) for n, city in enumerate(cities, 1))
        counts.append(judged(tmp_path, text, piece=10 * length)[1].count(b'"repair": "'))
    assert counts == [12] * 4


def test_long_texts_that_begin_alike_are_told_apart(tmp_path):
    cities = ["x" * LENGTH, "x" * LENGTH + "\x01", "x" * LENGTH, "x" * LENGTH + "y"]
    verdict, *_ = judged(tmp_path, HEAD + "".join(row(n, city=c) for n, c in enumerate(cities, 1)))
    assert [reason.rule for (reason,) in verdict.bad.values()] == [
        "length",
        "characters",
        "length",
        "length",
    ]
    assert [found.failed for found in verdict.results if found.rule == "length"] == [3]


def test_long_texts_that_are_admitted_and_unknown_are_noted_by_their_beginning(tmp_path):
    city = replace(JOB_CHANGE["city"], max_length=LENGTH)
    columns = tuple(city if one.name == "city" else one for one in JOB_CHANGE.columns)
    contract = replace(JOB_CHANGE, columns=columns)
    texts = ["x" * 1_000 + end for end in "yyz"]
    text = HEAD + "".join(row(n, city=one) for n, one in enumerate(texts, 1))
    verdict, *_ = judged(tmp_path, text, contract)
    beginning = f"'{'x' * 58}…"
    assert verdict.notes[-1] == (
        f"City: 2 values unknown to the model, in 3 rows: {beginning} (2), {beginning} (1)."
    )


def test_rows_are_noted_as_the_same_only_where_all_their_bytes_are(tmp_path):
    head = HEAD.replace("\n", ",notes\n")
    first, other = (row(1, notes=f",{'n' * 64}{end} remark") for end in ("first", "other"))
    verdict, *_ = judged(tmp_path, head + first + other)
    assert not [note for note in verdict.notes if "Byte for byte" in note]
    verdict, *_ = judged(tmp_path, head + first + other + first)
    assert "Byte for byte the same as another: 1 row." in verdict.notes


def test_long_repairs_are_not_remembered_by_the_thousand():
    reason = staged.Reason(1, "city", "characters", "x", "city is bad", "x" * 60_000)
    before = staged._remembered_rest_of.cache_info().currsize
    assert b"x" * 60_000 in staged.line_of(reason)
    assert staged._remembered_rest_of.cache_info().currsize == before
