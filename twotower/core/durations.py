"""Durations in words."""

import math


def duration_in_words(seconds: float) -> str:
    """Return "45 seconds", "20 minutes" or "13.6 hours", rounded up."""
    if seconds < 100:
        whole = max(1, math.ceil(seconds))
        return f"{whole} second" + "s" * (whole > 1)
    if seconds < 100 * 60:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{math.ceil(seconds / 360) / 10:g} hours"
