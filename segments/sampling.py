"""A lot drawn by chance that stays the same: by a hash of the contact number (splitmix64). Pure.

x = number + (seed + 1) * 0x9E3779B97F4A7C15, then x ^= x >> 30, x *= 0xBF58476D1CE4E5B9, x ^= x >> 27,
x *= 0x94D049BB133111EB, x ^= x >> 31, all modulo 2**64. A person is drawn if (x >> 11) / 2**53 < percent / 100.
So with one seed whoever is among 10 % is among 20 %, and lots of different seeds have nothing to do with each other.
"""

import numpy as np
import numpy.typing as npt

from segments.columns import Int, Mask

MAX_SEED = 2**32 - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def drawn(numbers: Int, percent: float, seed: int) -> Mask:
    """For each contact number whether it is among so many of a hundred."""
    return (_hashes(numbers, seed) >> np.uint64(11)).astype(np.float64) * 2.0**-53 < percent / 100


def first(numbers: Int, count: int) -> Int:
    """So many of these numbers by chance, the same few as long as the numbers are the same."""
    hashes = _hashes(numbers, 0)
    few = np.argpartition(hashes, count - 1)[:count] if count < len(hashes) else np.arange(len(hashes))
    return numbers[few[np.argsort(hashes[few])]]


def _hashes(numbers: Int, seed: int) -> npt.NDArray[np.uint64]:
    start = np.uint64((seed + 1) * _GOLDEN % 2**64)
    x = numbers.astype(np.uint64) + start
    x ^= x >> np.uint64(30)
    x *= np.uint64(_FIRST)
    x ^= x >> np.uint64(27)
    x *= np.uint64(_SECOND)
    x ^= x >> np.uint64(31)
    return x
