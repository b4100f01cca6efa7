"""Score trees through LightGBM's C library, in float64, without its Python package.

Importing that package loads pandas and scikit-learn: seconds and tens of megabytes that a process
which only scores has no use for. The library is the one that the package installs, so the scores
are those of ``lightgbm.Booster.predict``, bit for bit.

The functions and constants are those of LightGBM's ``include/LightGBM/c_api.h``.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobchurn.errors import NotInstalled

_FLOAT64 = 1  # C_API_DTYPE_FLOAT64
_ROW_MAJOR = 1
_RAW_SCORE = 1  # C_API_PREDICT_RAW_SCORE
_CONTRIBUTIONS = 3  # C_API_PREDICT_CONTRIB
_ALL_TREES = -1
# One thread: on a machine shared with others, more are slower for batches of our size.
_PARAMETERS = b"num_threads=1 verbosity=-1"


class BoosterError(RuntimeError):
    """LightGBM refuses a call; the message is its own."""


class Booster:
    """Trees read from LightGBM's text format.

    Any number of threads may use one at the same time. LightGBM's own calls are not safe for that:
    preparing a prediction writes into the booster behind a lock that is only shared
    (https://github.com/microsoft/LightGBM/issues/6142). Each thread therefore reads trees of its
    own at its first call, and they are freed when the thread ends or the booster is dropped.

    Args:
        text: the model, as ``lightgbm.Booster.model_to_string`` writes it.

    Raises:
        NotInstalled: LightGBM's library is missing or cannot be loaded.
        BoosterError: the text is no model of one score.
    """

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self._local = threading.local()
        self.features = self._trees.features
        """How many numbers a row has."""

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The raw score (log-odds) of each row of a matrix of shape (rows, features).

        Raises:
            BoosterError: the rows are not as long as those of training.
        """
        return self._trees.predict(matrix, _RAW_SCORE, 1)[:, 0]

    def score(self, row: Sequence[float]) -> float:
        """The raw score of one row: the same as in bulk, sooner.

        Raises:
            BoosterError: the row is not as long as those of training.
        """
        return self._trees.predict_one(row)

    def contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to each row's score, of shape (rows, features + 1).

        These are SHAP values (Lundberg et al., "From local explanations to global understanding
        with explainable AI for trees", 2020). The last column is the score expected before
        anything is known; a row sums to its raw score.

        Raises:
            BoosterError: the rows are not as long as those of training.
        """
        return self._trees.predict(matrix, _CONTRIBUTIONS, self.features + 1)

    @property
    def _trees(self) -> _Trees:
        try:
            trees: _Trees = self._local.trees
        except AttributeError:
            trees = self._local.trees = _Trees(self._text)
        return trees


class _Trees:
    """One thread's copy of the trees, and the buffers of its single-row calls."""

    def __init__(self, text: bytes) -> None:
        self._library = _library()
        booster, iterations, count = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
        self._call("LoadModelFromString", text, ctypes.byref(iterations), ctypes.byref(booster))
        weakref.finalize(self, self._library.LGBM_BoosterFree, booster)
        self._booster = booster
        self._call("GetNumClasses", booster, ctypes.byref(count))
        if count.value != 1:
            raise BoosterError(f"the model gives {count.value} scores a row, not one")
        self._call("GetNumFeature", booster, ctypes.byref(count))
        self.features = count.value
        # A "fast config" keeps all that LightGBM otherwise sets up anew for each call.
        single = ctypes.c_void_p()
        self._call(
            "PredictForMatSingleRowFastInit",
            booster,
            ctypes.c_int(_RAW_SCORE),
            ctypes.c_int(0),
            ctypes.c_int(_ALL_TREES),
            ctypes.c_int(_FLOAT64),
            ctypes.c_int32(self.features),
            _PARAMETERS,
            ctypes.byref(single),
        )
        # Finalizers run in the reverse order of their making: this one before the booster's.
        weakref.finalize(self, self._library.LGBM_FastConfigFree, single)
        self._single = single
        self._row = (ctypes.c_double * self.features)()
        self._score = ctypes.c_double()
        self._length = ctypes.c_int64()
        self._by_reference = ctypes.byref(self._length), ctypes.byref(self._score)

    def predict(self, matrix: NDArray[np.float64], kind: int, width: int) -> NDArray[np.float64]:
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        rows, columns = matrix.shape
        result = np.empty((rows, width))
        if rows:
            self._call(
                "PredictForMat",
                self._booster,
                ctypes.c_void_p(matrix.ctypes.data),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(rows),
                ctypes.c_int32(columns),
                ctypes.c_int(_ROW_MAJOR),
                ctypes.c_int(kind),
                ctypes.c_int(0),
                ctypes.c_int(_ALL_TREES),
                _PARAMETERS,
                ctypes.byref(self._length),
                ctypes.c_void_p(result.ctypes.data),
            )
        return result

    def predict_one(self, row: Sequence[float]) -> float:
        if len(row) != self.features:
            raise BoosterError(f"the row has {len(row)} numbers, the model {self.features}")
        self._row[:] = [*row]
        self._call("PredictForMatSingleRowFast", self._single, self._row, *self._by_reference)
        return self._score.value

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._library, f"LGBM_Booster{name}")(*arguments) != 0:
            raise BoosterError(self._library.LGBM_GetLastError().decode(errors="replace"))


@functools.cache
def _library() -> ctypes.CDLL:
    """LightGBM's library, loaded once; calls into it let other threads run.

    Raises:
        NotInstalled: it is missing, or a library that it needs is.
    """
    path = _library_path()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NotInstalled(
            f"LightGBM's library cannot be loaded: {error}.",
            "It needs the system's OpenMP library: on Debian and Ubuntu, "
            "`apt-get install libgomp1`.",
        ) from error
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def _library_path() -> Path:
    name = {"win32": "lib_lightgbm.dll", "darwin": "lib_lightgbm.dylib"}.get(
        sys.platform, "lib_lightgbm.so"
    )
    package = importlib.util.find_spec("lightgbm")  # finds it, and imports nothing
    for folder in (package and package.submodule_search_locations) or ():
        for place in ("lib", "bin"):
            if (path := Path(folder, place, name)).is_file():
                return path
    raise NotInstalled(
        "LightGBM is not installed in this environment.",
        "Run `make setup`, or `pip install lightgbm`.",
    )
