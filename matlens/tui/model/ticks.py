"""Ticks of axes: round numbers, and their texts."""

from __future__ import annotations

from math import ceil, floor, isfinite, log10


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from `low` to `high`, at most `most` of them.

    Examples
    --------
    >>> nice_ticks(0, 10, 6)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> nice_ticks(-0.3, 0.3, 7)
    [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]
    >>> nice_ticks(3, 3, 5)
    [3.0]
    """
    if not (isfinite(low) and isfinite(high)):
        return []
    if high <= low or most < 2:
        return [low + 0.0] if high >= low else []
    exponent = floor(log10(max(high / most - low / most, 5e-324)))
    for power in range(exponent, exponent + 4):
        for factor in (1, 2, 5):
            # Whole steps are counted, and each is divided once: sums of 0.1 would end beside 0.3.
            def value(count: int, factor: int = factor, power: int = power) -> float:
                if abs(power) > 300:
                    return count * factor * float(f"1e{power}")
                return count * factor * 10.0**power if power >= 0 else count * factor / 10.0**-power

            step = value(1)
            if step <= 0 or not isfinite(step):
                continue
            first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
            if last - first < most:
                return [value(count) + 0.0 for count in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten from `low` to `high`, every second or every so many of them where there are more than `most`.

    With fewer than two, the round numbers between them are taken, too.

    Examples
    --------
    >>> log_ticks(1, 1e4, 5), log_ticks(1, 1e9, 5), log_ticks(20, 80, 5)
    ([1.0, 10.0, 100.0, 1000.0, 10000.0], [1.0, 100.0, 10000.0, 1000000.0, 100000000.0], [20.0, 40.0, 60.0, 80.0])
    """
    if not 0 < low <= high < float("inf"):
        return []
    first, last = ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9)
    if last - first < 1:
        return nice_ticks(low, high, most)
    step = max(1, ceil((last - first + 1) / max(most, 1)))
    if step > 1:
        first = ceil(first / step) * step
    return [float(f"1e{power}") for power in range(first, last + 1, step)]


def number_label(value: float) -> str:
    """A number in few letters: 0 without a sign, no zeros behind the point.

    Examples
    --------
    >>> [number_label(value) for value in (-0.0, 1500.0, 2e6, 0.25, 1e-17, 123456.7, -3e-05, float("nan"))]
    ['0', '1500', '2e6', '0.25', '1e-17', '1.23457e5', '-3e-5', 'NaN']
    """
    if value != value:
        return "NaN"
    if value == 0:
        return "0"
    text = f"{value:.6g}" if abs(value) < 1e5 or not isfinite(value) else f"{value:.5e}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}"
    return text
