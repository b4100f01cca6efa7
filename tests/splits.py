"""Which bytes of a cut file are bad, for tests that say so by row."""

from jobchurn.files import Split


def split_of(sheet, bad):
    """The split of a sheet that holds all of a file, of which these rows are bad."""
    starts = sheet.starts.tolist()
    rows = [row for row in range(1, sheet.rows + 1) if row in bad]
    return Split(sheet.sha256, len(sheet.head), [(starts[row - 1], starts[row]) for row in rows])
