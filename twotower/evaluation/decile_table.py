"""Calibration of the confidence, from the metrics of a task "coverage, ..., confidence"."""

from collections.abc import Iterator, Mapping

DECILES = 10
CORRELATION = "rank correlation"


def decile_metrics(
    expected: list[float], measured: list[float], overlap: list[float]
) -> dict[str, float]:
    """Return metric -> value for the mean of each decile of the confidence, lowest first."""
    named = {"expected MRR": expected, "measured MRR": measured, "overlap": overlap}
    return {
        f"{name} {number}": value
        for name, values in named.items()
        for number, value in enumerate(values, 1)
    }


def largest_gap(means: Mapping[str, float]) -> float:
    """Return the largest difference of expected and measured MRR over the deciles."""
    return max(abs(expected - measured) for expected, measured, _ in _deciles(means))


def decile_lines(means: Mapping[str, float]) -> list[str]:
    """Return a table of the deciles as lines of text, with the largest gap below."""
    lines = [
        f"  {'decile of confidence':<22}{'expected MRR':>14}{'measured MRR':>14}{'overlap':>9}"
    ]
    for number, (expected, measured, overlap) in enumerate(_deciles(means), 1):
        lines.append(f"  {number:<22}{expected:>14.3f}{measured:>14.3f}{overlap:>9.3f}")
    lines.append(
        f"  largest gap {largest_gap(means):.3f}, rank correlation of confidence and overlap "
        f"{means[CORRELATION]:.2f}"
    )
    return lines


def _deciles(means: Mapping[str, float]) -> Iterator[tuple[float, float, float]]:
    for number in range(1, DECILES + 1):
        yield (
            means[f"expected MRR {number}"],
            means[f"measured MRR {number}"],
            means[f"overlap {number}"],
        )
