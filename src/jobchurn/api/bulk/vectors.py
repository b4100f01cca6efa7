"""Columns of an Arrow stream, gathered batch by batch, and what they may come to.

A few bytes of a stream can stand for very much: a dictionary of a billion blanks, a text that a
million views show, a dictionary that each batch makes longer by one. So lengths are added up before
anything is looked at; a dictionary is looked at once, however many batches share it; and of its
values only those are made that a row has.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from jobchurn.columnar import Coded, Numbers, Series, coded
from jobchurn.errors import TooLarge

_COPIES = 2**26
"""How many bytes dictionaries may come to beside those of the body: batches can add to them."""

_ROWS = 1_024
"""Of how many rows the library finds the distinct values at once. Anybody can compute its hashes,
and so send many values with the same one, each of which it compares with all before it."""


class Bounds:
    """Adds up what a stream's dictionaries come to, and its texts that are views.

    Args:
        body: how many bytes the stream has.
        most_records: how many records are taken at once.
    """

    def __init__(self, body: int, most_records: int) -> None:
        self._body = body
        self._values = most_records + body
        self._bytes = body + _COPIES

    def count_dictionary(self, dictionary: Any) -> None:
        """Count a dictionary that was not met before; only where its buffers lie is believed.

        Each of its values takes a byte or more of the stream, unless they are blank or truth values
        (then honest ones are few) or the dictionary is an earlier one that was made longer.

        Raises:
            TooLarge: with those before, it has more values or bytes than they may have.
        """
        self._values -= len(dictionary)
        self._bytes -= sum(buffer.size for buffer in dictionary.buffers() if buffer)
        if self._values < 0 or self._bytes < 0:
            raise TooLarge(
                "The dictionaries of the Arrow stream come to more values, or more bytes, than its "
                f"records and its length explain; the last has {len(dictionary):,} values.",
                "Send dictionaries of only the values that records have, once for all batches; or "
                "plain columns.",
            )

    def count_views(self, texts: Any, before: int) -> int:
        """What the texts of a column come to in bytes, these and those before.

        Raises:
            TooLarge: it is more than the whole stream.
        """
        views = np.frombuffer(texts.buffers()[1], "<u4").reshape(-1, 4)
        lengths = views[texts.offset : texts.offset + len(texts), 0]
        shown = lengths[texts.is_valid().to_numpy(zero_copy_only=False)]
        length = before + int(shown.sum(dtype=np.uint64))
        if length > self._body:
            raise TooLarge(
                f"The texts of one column come to {length:,} bytes, more than the whole stream.",
                "Send repeated texts dictionary-encoded.",
            )
        return length


class Vector(Protocol):
    """A column that grows by batches."""

    def add(self, array: Any) -> None:
        """Take a batch's part, which was validated but for its content.

        Raises:
            ArrowException: its content is not valid; of places, ``series`` says that.
            TooLarge: it comes to more than it may.
        """

    def series(self) -> Series:
        """All of it.

        Raises:
            ArrowException: a place is beyond its dictionary.
        """


def vector_of(arrow: Any, kind: Any, bounds: Bounds) -> Vector:
    """An empty column of a type."""
    return (_Dictionary if arrow.types.is_dictionary(kind) else _Plain)(arrow, kind, bounds)


class _Checked:
    """Validates arrays in full, once it is known that this has an end."""

    def __init__(self, arrow: Any, texts: Any, bounds: Bounds) -> None:
        self._are_views = arrow.types.is_string_view(texts)
        self._bounds = bounds
        self._length = 0

    def check(self, array: Any) -> None:
        if self._are_views and len(array):
            self._length = self._bounds.count_views(array, self._length)
        array.validate(full=True)


class _Plain:
    def __init__(self, arrow: Any, kind: Any, bounds: Bounds) -> None:
        self._arrow, self._kind = arrow, kind
        self._checked = _Checked(arrow, kind, bounds)
        self._arrays: list[Any] = []

    def add(self, array: Any) -> None:
        self._checked.check(array)
        self._arrays.append(array)

    def series(self) -> Series:
        kinds, kind = self._arrow.types, self._kind
        array = self._arrow.chunked_array(self._arrays, kind).combine_chunks()
        if kinds.is_null(kind):
            return Coded([None], np.zeros(len(array), np.int32))
        if (kinds.is_integer(kind) or kinds.is_floating(kind)) and not array.null_count:
            numbers = array.to_numpy(zero_copy_only=False)
            wide = np.float64 if kinds.is_floating(kind) else np.int64
            if not (
                kind == self._arrow.uint64()
                and len(numbers)
                and numbers.max() > np.iinfo(np.int64).max
            ):
                return Numbers(numbers.astype(wide))
        return self._coded(array)

    def _coded(self, array: Any) -> Coded:
        """The distinct values of some rows at a time, and of all those the distinct ones."""
        values: list[Any] = []
        codes = [np.zeros(0, np.int32)]
        for start in range(0, len(array), _ROWS):
            encoded = array.slice(start, _ROWS).dictionary_encode()
            found = _codes(self._arrow, encoded.indices)
            codes.append(np.where(found < 0, np.int32(-1), found + np.int32(len(values))))
            values += encoded.dictionary.to_pylist()
        places = np.concatenate(codes)
        if self._arrow.types.is_floating(self._kind):
            return _with_blank(values, places)
        return _distinct(values, places)


class _Dictionary:
    """A column of places in a dictionary, which a stream may replace or make longer."""

    def __init__(self, arrow: Any, kind: Any, bounds: Bounds) -> None:
        self._arrow, self._bounds = arrow, bounds
        self._checked = _Checked(arrow, kind.value_type, bounds)
        self._are_floats = arrow.types.is_floating(kind.value_type)
        self._dictionary: Any = None
        self._met: tuple[Any, ...] = ()
        self._parts: list[Any] = []  # of batches that share the dictionary at hand
        self._values: list[Any] = []
        self._codes: list[Any] = []
        self._dictionaries = 0

    def add(self, array: Any) -> None:
        dictionary = array.dictionary
        met = _identity(dictionary)
        if self._dictionary is None or met != self._met:
            self._finish()
            self._bounds.count_dictionary(dictionary)
            self._checked.check(dictionary)
            # It is kept, so that no other comes to lie where it lies.
            self._dictionary, self._met = dictionary, met
        array.indices.validate()
        self._parts.append(array.indices)

    def series(self) -> Series:
        self._finish()
        codes = np.concatenate([np.zeros(0, np.int32), *self._codes])
        if self._dictionaries < 2 or self._are_floats:  # 0.0 and -0.0 are told apart in answers
            return _with_blank(self._values, codes)
        return _distinct(self._values, codes)

    def _finish(self) -> None:
        """Make those values of the dictionary at hand that a row has."""
        if not self._parts:
            return
        indices = self._arrow.concat_arrays(self._parts)
        blanks = self._arrow.nulls(len(self._dictionary))  # in its stead: it was looked at
        self._arrow.DictionaryArray.from_arrays(indices, blanks, safe=False).validate(full=True)
        codes = _codes(self._arrow, indices)
        is_used = np.zeros(len(self._dictionary) + 1, bool)
        is_used[codes] = True  # a blank's place, -1, is the last
        used = np.flatnonzero(is_used[:-1])
        places = np.cumsum(is_used, dtype=np.int32) + np.int32(len(self._values) - 1)
        places[-1] = -1
        # One by one, which is how to_pylist makes them, too: of views, none can be taken.
        self._values += [self._dictionary[place].as_py() for place in used.tolist()]
        self._codes.append(places[codes])
        self._parts = []
        self._dictionaries += 1


def _identity(array: Any) -> tuple[Any, ...]:
    """The same for two arrays of a type that share all their bytes, while both are kept."""
    buffers = [buffer and (buffer.address, buffer.size) for buffer in array.buffers()]
    return (len(array), array.offset, *buffers)


def _codes(arrow: Any, indices: Any) -> Any:
    """Places as numbers of 32 bits, -1 for a blank; there are fewer, whatever their type is."""
    return indices.cast(arrow.int32(), safe=False).fill_null(-1).to_numpy()


def _distinct(values: list[Any], codes: Any) -> Coded:
    """A column whose code -1 is a blank; of equal values only one."""
    found = coded([*values, None])
    return Coded(found.values, found.codes[codes])


def _with_blank(values: list[Any], codes: Any) -> Coded:
    """A column whose code -1 is a blank."""
    return Coded([*values, None], np.where(codes < 0, np.int32(len(values)), codes))
