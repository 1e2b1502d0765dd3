"""What somebody may have meant by a word that is none. Pure."""

import difflib
from collections.abc import Iterable


def nearest(word: object, known: Iterable[str]) -> str:
    """`did you mean 'url'?`, or all there are."""
    names = list(known)
    near = near_to(word, names)
    return f"did you mean {near!r}?" if near is not None else f"one of {', '.join(sorted(names))}"


def near_to(word: object, known: Iterable[str]) -> str | None:
    """The known word that comes nearest, if one is near at all."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(str(word)[:100].casefold(), folded, 1, 0.6)
    return folded[close[0]] if close else None
