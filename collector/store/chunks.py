"""One series' points for an hour or so, in few bytes. Pure: no I/O.

Before zstd sees them, times are differences of differences (a job runs at a steady pace, so nearly all are near 0), and
values are one of two things, whichever is exact:

- differences of integers, when every value is an integer over one power of ten (counters, percent, microseconds);
- float64 with its bytes transposed, so that the signs, exponents and high digits lie side by side.

Numbers are little-endian. A block is a zstd frame without the magic number, of::

    u8 code of the times' width, u8 code of the values' width (or 255: float64), u8 power of ten
    i64 first difference of times, i64 first integer          (for float64 the second is 0)
    the times' differences of differences, transposed          (count - 2)
    the integers' differences (count - 1), or the float64s (count), transposed

The time of the first point and the count are kept outside, as columns of the database.
"""

from __future__ import annotations

import struct
import threading
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, repeat
from operator import lt, mul, sub, truediv

import zstandard

_HEADER = struct.Struct("<BBBqq")
_WIDTHS = ("b", "h", "i", "q")
_LIMITS = (1 << 7, 1 << 15, 1 << 31, 1 << 63)
_FLOATS = 255
_POWERS = tuple(10.0**power for power in range(10))
_EXACT = float(1 << 53)
_FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS


class _Zstd(threading.local):
    """A codec of its own for each thread: zstd's contexts are not to be shared, and are dear to make anew."""

    def __init__(self) -> None:
        options = zstandard.ZstdCompressionParameters.from_level(3, format=_FORMAT, write_content_size=True)
        self.compressor = zstandard.ZstdCompressor(compression_params=options)
        self.decompressor = zstandard.ZstdDecompressor(format=_FORMAT)


_zstd = _Zstd()


class ChunkError(Exception):
    """A block that is not what :func:`pack` makes."""


def pack(at: array[int], values: array[float]) -> bytes:
    """The block of some points: ``at`` ('q', Unix ms, strictly growing), ``values`` ('d', finite); at least one."""
    steps = list(map(sub, at[1:], at))
    time_code, times = _narrow(list(map(sub, steps[1:], steps)))
    power, integers = _as_integers(values)
    if power is None:
        value_code, first, body = _FLOATS, 0, _transpose(values)
    else:
        value_code, body = _narrow(list(map(sub, integers[1:], integers)))
        first = integers[0]
    header = _HEADER.pack(time_code, value_code, power or 0, steps[0] if steps else 0, first)
    return _zstd.compressor.compress(header + times + body)


def unpack(first_ms: int, count: int, block: bytes) -> tuple[array[int], array[float]]:
    """The points of a block: at and values, as :func:`pack` took them, bit for bit. Raises ChunkError."""
    try:
        if zstandard.get_frame_parameters(block, format=_FORMAT).content_size > _HEADER.size + 16 * count:
            raise ChunkError(f"a block said to hold {count} points claims to be larger than those")
        raw = _zstd.decompressor.decompress(block)
        time_code, value_code, power, step, first = _HEADER.unpack_from(raw)
        times, rest = _widen(raw, _HEADER.size, time_code, max(count - 2, 0))
        steps = accumulate(times, initial=step) if count > 1 else ()
        at = array("q", accumulate(steps, initial=first_ms))
        if value_code == _FLOATS:
            values = array("d", _untranspose(raw[rest:], 8))
        else:
            deltas, end = _widen(raw, rest, value_code, count - 1)
            if end != len(raw):
                raise ChunkError(f"a block said to hold {count} points holds {len(raw) - end} bytes more or less")
            values = _divided(accumulate(deltas, initial=first), power)
    except (zstandard.ZstdError, struct.error, IndexError, ValueError, OverflowError) as error:
        raise ChunkError(f"a block of {len(block)} bytes said to hold {count} points: {error}") from error
    if len(at) != count or len(values) != count:
        raise ChunkError(f"a block said to hold {count} points holds {len(at)} times and {len(values)} values")
    return at, values


def tidy(at: array[int], values: array[float]) -> tuple[array[int], array[float]]:
    """The points in order of time; of several at one ms the last."""
    if all(map(lt, at, at[1:])):
        return at, values
    newest = dict(zip(at, values, strict=True))
    order = sorted(newest)
    return array("q", order), array("d", map(newest.__getitem__, order))


def merge(parts: Iterable[tuple[array[int], array[float]]]) -> tuple[array[int], array[float]]:
    """Parts that are each tidy, as one that is tidy. They come in order of writing: of one ms the last part's wins."""
    found = [part for part in parts if part[0]]
    ordered = sorted(found, key=lambda part: part[0][0])
    at, values = array("q"), array("d")
    for times, numbers in ordered:
        if at and times[0] <= at[-1]:
            return _merge_overlapping(found)
        at.extend(times)
        values.extend(numbers)
    return at, values


def _merge_overlapping(parts: Sequence[tuple[array[int], array[float]]]) -> tuple[array[int], array[float]]:
    at, values = array("q"), array("d")
    for times, numbers in parts:
        at.extend(times)
        values.extend(numbers)
    return tidy(at, values)


def _as_integers(values: array[float]) -> tuple[int, list[int]] | tuple[None, list[int]]:
    """The least power of ten, and the integers, that give the values back bit for bit; (None, []) when none does."""
    largest = max(abs(max(values)), abs(min(values)))
    probe = values[len(values) // 2]
    for power, factor in enumerate(_POWERS):
        if largest * factor >= _EXACT:
            break
        if round(probe * factor) / factor != probe:
            continue
        integers = list(map(round, map(mul, values, repeat(factor)) if power else values))
        if _divided(integers, power).tobytes() == values.tobytes():
            return power, integers
    return None, []


def _divided(integers: Iterable[int], power: int) -> array[float]:
    """The integers over a power of ten."""
    return array("d", map(truediv, integers, repeat(_POWERS[power])) if power else integers)


def _narrow(numbers: list[int]) -> tuple[int, bytes]:
    """The code of the narrowest width that holds the numbers, and their bytes, transposed."""
    low, high = min(numbers, default=0), max(numbers, default=0)
    for code, limit in enumerate(_LIMITS):
        if -limit <= low and high < limit:
            return code, _transpose(array(_WIDTHS[code], numbers))
    raise OverflowError(f"a difference beyond 64 bits, of {low} to {high}")


def _widen(raw: bytes, start: int, code: int, count: int) -> tuple[array[int], int]:
    """``count`` numbers that :func:`_narrow` wrote at ``start``, and where they end."""
    numbers = array(_WIDTHS[code])
    end = start + count * numbers.itemsize
    numbers.frombytes(_untranspose(raw[start:end], numbers.itemsize))
    return numbers, end


def _transpose(numbers: array[int] | array[float]) -> bytes:
    """All first bytes, then all second bytes, …"""
    raw, width = numbers.tobytes(), numbers.itemsize
    return raw if width == 1 else b"".join([raw[i::width] for i in range(width)])


def _untranspose(raw: bytes, width: int) -> bytes:
    if width == 1:
        return raw
    count = len(raw) // width
    out = bytearray(count * width)
    for i in range(width):
        out[i::width] = raw[i * count : (i + 1) * count]
    return bytes(out)
