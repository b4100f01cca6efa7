"""Damaged files, from cutting to routing: nothing fails, no record is lost, no verdict is a guess.

The oracle shares no code with what it judges: it reads lines, Python's own CSV reader, and the
contract value by value.
"""

import csv
import io
import json
import os
import random
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api_house import open_house
from faults.mutator import mutated, sound_file
from jobchurn import files, report
from jobchurn.contract import Violation
from jobchurn.flow import ingest, judging, staged
from jobchurn.flow.rows import read_rows
from jobchurn.verdict import Verdict
from splits import split_of

FILES = int(os.environ.get("TORTURE_FILES", "5000"))
"""How many files the long form damages."""

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++\Z")
_NOW = datetime(2026, 11, 24, tzinfo=UTC)


PIECE = 4_096
"""How many bytes are read at once: few, so that what is damaged lies across their ends."""


def judged(raw, folder, sheet, contract, *, suite):
    """The verdict, the split and the reasons; without the suite in a moment.

    Then the contract itself says what is bad, as it does for files that are scored.
    """
    if not suite and sheet.refusal is None and not sheet.missing:
        bad = read_rows(raw, contract).refused
        reasons = [staged.line_of(reason) for found in bad.values() for reason in found]
        verdict = Verdict(rows_total=sheet.rows, bad=bad, notes=sheet.notes)
        return verdict, split_of(sheet, bad), reasons
    with files.reading(raw, contract, PIECE) as reading:
        verdict = judging.judged(reading, contract, folder)
        assert reading.sha256 == sheet.sha256
    reasons = staged.reasons_in(folder).read_bytes().splitlines()
    split = staged.split_in(folder, sheet.sha256) if verdict.refusal is None else None
    return verdict, split, reasons


def routed(raw, folder, contract, *, suite=True):
    """Take a file through the steps of the flow: the verdict, what lies in good and in bad, why."""
    sheet = files.cut(raw, contract)
    verdict, split, reasons = judged(raw, folder, sheet, contract, suite=suite)
    good, bad = folder / "good", folder / "bad"
    if verdict.refusal is not None:
        files.refuse(raw, sheet.sha256, bad)
    else:
        good_path = good if verdict.rows_valid else None
        assert files.route(raw, split, good_path, bad if verdict.rows_invalid else None)
    found = [path.read_bytes() if path.exists() else None for path in (good, bad)]
    for path in (good, bad):
        path.unlink(missing_ok=True)
    return sheet, verdict, *found, [json.loads(line) for line in reasons]


def told(verdict, contract):
    """People and the database are told of a verdict: the report is made."""
    assert Verdict.from_json(verdict.to_json()) == verdict
    page = report.render(
        verdict, contract, file="a.csv", sha256="0" * 64, criticality="low", started_at=_NOW
    )
    page.encode()


def faults_of(data, sheet, verdict, good, bad, reasons, contract):
    """What is wrong with how a file was treated; empty where nothing is."""
    if verdict.refusal is not None:
        if (good, bad) != (None, data):
            yield "the refused file is not in bad as it came"
        if not verdict.refusal.message or len(reasons) != 1:
            yield "the refusal has no reason"
        return
    yield from _lost(data, good, bad)
    yield from _guessed(sheet, verdict, reasons, contract)


def _lost(data, good, bad):
    """Whether good and bad together are the file: its header in each, each other line in one."""
    parts = [part for part in (good, bad) if part is not None]
    if len(parts) == 1 and parts != [data]:
        yield "the one file that was routed is not the one that came"
    if len(parts) == 2:
        lines, *split = (_LINE.findall(content) for content in (data, *parts))
        shared = 0
        for line, one, other in zip(lines, *split, strict=False):
            if not line == one == other:
                break
            shared += 1
        if not any(
            _together(*(found[n:] for found in (lines, *split))) for n in range(1, shared + 1)
        ):
            yield "the lines of good and bad are not those of the file"


def _together(lines, one, other):
    """Whether lines are those of two parts, each in its order."""

    def in_order(part):
        following = iter(lines)
        return all(line in following for line in part)

    return Counter(lines) == Counter(one) + Counter(other) and in_order(one) and in_order(other)


def _guessed(sheet, verdict, reasons, contract):
    """Whether good rows are what the contract admits, and bad ones what it does not."""
    if verdict.missing:
        return
    bad = {reason["row"] for reason in reasons}
    if len(bad) != verdict.rows_invalid or not bad.issuperset(verdict.bad):
        yield "the bad rows are not those with reasons"
    for row in range(1, sheet.rows + 1):
        if row in sheet.faults:
            continue
        admitted = _admits(sheet.record(row), sheet.header, contract)
        if admitted is (row in bad):
            yield f"row {row} is {'bad' if admitted else 'good'}: {sheet.record(row)[:200]!r}"


def _admits(record, header, contract):
    """Whether the contract admits a record, as Python's own reader understands its bytes."""
    [cells] = [
        row
        for row in csv.reader(io.StringIO(record.decode(), newline=""), strict=True)
        if len(row) > 1 or "".join(row).strip()
    ][:1] or [[""]]
    try:
        for name, text in zip(header, cells, strict=True):
            if name in contract.by_name:
                contract[name].read(text)
    except Violation:
        return False
    return True


def memory():
    """The megabytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def outcome_of(verdict):
    if verdict.refusal is not None:
        return "refused"
    if not verdict.rows_invalid:
        return "good"
    return "mixed" if verdict.rows_valid else "bad"


def treat(seeds, folder, contract, *, suite_for_each=1):
    """Damage and treat a file for each seed; what went wrong by seed, outcomes, records, memory."""
    raw = folder / "raw"
    wrong, outcomes, records, held = {}, Counter(), 0, []
    for seed in seeds:
        data = mutated(seed)
        raw.write_bytes(data)
        try:
            sheet, verdict, good, bad, reasons = routed(
                raw, folder, contract, suite=seed % suite_for_each == 0
            )
            told(verdict, contract)
            found = list(faults_of(data, sheet, verdict, good, bad, reasons, contract))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what is looked for)
            found = [repr(error)]
        else:
            outcomes[outcome_of(verdict)] += 1
            records += verdict.rows_total
        if found:
            wrong[seed] = found
        held.append(memory())
    return wrong, outcomes, records, held


def test_damaged_files_are_all_accounted_for(tmp_path, contract):
    wrong, outcomes, _, _ = treat(range(200), tmp_path, contract, suite_for_each=12)
    assert wrong == {}
    assert set(outcomes) == {"refused", "good", "mixed", "bad"}


@pytest.mark.torture
def test_many_damaged_files_are_all_accounted_for(tmp_path, contract, figures):
    wrong, outcomes, records, held = treat(range(1_000, 1_000 + FILES), tmp_path, contract)
    warm = FILES // 5
    figures(
        f"{FILES} damaged files",
        failed=len(wrong),
        records=records,
        outcomes=dict(outcomes),
        megabytes=f"{held[warm]:.0f} after {warm}, at the end {held[-1]:.0f}",
    )
    assert wrong == {}
    assert held[-1] < held[warm] * 1.1


def test_the_same_seed_gives_the_same_file():
    assert [mutated(seed) for seed in range(20)] == [mutated(seed) for seed in range(20)]


def test_a_lost_or_a_doubled_record_would_be_noticed(tmp_path, contract):
    raw = tmp_path / "raw"
    [header, *rows] = sound_file(random.Random(3)).splitlines(keepends=True)
    lines = [header, *(rows[0].replace(b"0", b"%d" % n) for n in range(1, 8))]
    data = b"".join(lines)
    raw.write_bytes(data)
    sheet, verdict, good, bad, reasons = routed(raw, tmp_path, contract)

    def wrong(good, bad, verdict=verdict):
        return list(faults_of(data, sheet, verdict, good, bad, reasons, contract))

    assert wrong(good, bad) == []
    assert wrong(b"".join(lines[:-1]), None)
    assert wrong(b"".join([*lines, lines[-1]]), None)
    assert wrong(b"".join(lines[:2]), b"".join([lines[0], *lines[3:]]))
    assert wrong(good, b"".join([lines[0], lines[1]]))
    assert wrong(b"".join([lines[0], *lines[:0:-1]]), b"")


def flow_over(seeds, store, home):
    """Take the damaged files of these seeds through the whole flow, database and all."""
    services = open_house(store, home)
    settings = services.settings.model_copy(update={"settle_seconds": 0.0})
    services = ingest.Services(**{**vars(services), "settings": settings})
    contents = {f"{seed}.csv": mutated(seed) for seed in seeds}
    for name, data in contents.items():
        (services.folders.raw_data / name).write_bytes(data)
    runs = {run.file: run for run in ingest.ingest_all(services, trigger="cli")}
    assert runs.keys() == contents.keys()
    for name, run in runs.items():
        if run.duplicate_of is not None:
            continue
        good, bad = (Path(path).read_bytes() if path else None for path in (run.good, run.bad))
        assert list(_lost(contents[name], good, bad)) == [] or bad == contents[name]
    assert list(services.folders.raw_data.iterdir()) == []
    assert list(services.folders.work.iterdir()) == []


def test_damaged_files_go_through_the_whole_flow(store, tmp_path):
    flow_over(range(8), store, tmp_path / "home")


@pytest.mark.torture
def test_many_damaged_files_go_through_the_whole_flow(store, tmp_path):
    flow_over(range(300), store, tmp_path / "home")
