"""A lot drawn by chance that stays the same: by a hash of the contact number (splitmix64). Pure.

x = number + (seed + 1) * 0x9E3779B97F4A7C15, then x ^= x >> 30, x *= 0xBF58476D1CE4E5B9, x ^= x >> 27,
x *= 0x94D049BB133111EB, x ^= x >> 31, all modulo 2**64. A person is drawn if (x >> 11) / 2**53 < percent / 100.
So with one seed whoever is among 10 % is among 20 %, and lots of different seeds have nothing to do with each other.
"""

import numpy as np

from segments.columns import Int, Mask

MAX_SEED = 2**32 - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def drawn(numbers: Int, percent: float, seed: int) -> Mask:
    """For each contact number whether it is among so many of a hundred."""
    start = np.uint64((seed + 1) * _GOLDEN % 2**64)
    x = numbers.astype(np.uint64) + start
    x ^= x >> np.uint64(30)
    x *= np.uint64(_FIRST)
    x ^= x >> np.uint64(27)
    x *= np.uint64(_SECOND)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53 < percent / 100
