"""What a bench was asked to show, and whether it did: printed as a summary, kept beside the figures."""

import sys
from typing import Any, NamedTuple

from bench.contender import save


class Claim(NamedTuple):
    """One demand and its measurement, as a reader wants them."""

    what: str
    demanded: str
    measured: str
    holds: bool


def conclude(name: str, claims: list[Claim], figures: dict[str, Any]) -> None:
    """Save figures and claims with the machine they come from, print the summary, and exit with 1 if one falls
    short."""
    path = save(name, {"claims": [claim._asdict() for claim in claims], **figures})
    print(f"\n{name}: {path}")
    width = max((len(claim.what) for claim in claims), default=0)
    for claim in claims:
        mark = "PASS " if claim.holds else "short"
        print(f"  {mark} {claim.what:{width}}  demanded {claim.demanded}; measured {claim.measured}")
    sys.stdout.flush()
    if not all(claim.holds for claim in claims):
        sys.exit(1)
