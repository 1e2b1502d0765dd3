"""Percentiles for reports, from merged histograms. Pure."""

from harness.histogram import Histogram, highest_of, percentile_bounds
from harness.verdict import Quantiles


def quantiles(histogram: Histogram) -> Quantiles:
    """Seconds, by nearest rank, each the highest value that its bucket stands for; None where nothing was observed."""
    if not histogram:
        return Quantiles()
    return Quantiles(
        p50=quantile(histogram, 0.5),
        p90=quantile(histogram, 0.9),
        p95=quantile(histogram, 0.95),
        p99=quantile(histogram, 0.99),
        p999=quantile(histogram, 0.999),
        max=highest_of(max(histogram)) / 1e6,
    )


def quantile(histogram: Histogram, q: float) -> float | None:
    """One of them, seconds."""
    bounds = percentile_bounds(histogram, q)
    return None if bounds is None else bounds[1] / 1e6
