"""Lines that fit: measured in terminal cells (a CJK sign takes two), cut with an ellipsis, wrapped at words."""

import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

WIDTH = 80
LABEL = 11  # cells of the names at the left
ELLIPSIS = "…"
_LONGEST = 4000  # characters of one text that are looked at
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ASCII = str.maketrans("▁▂▃▄▅▆▇█✖✔…–—·─└├┤│µ±×→", "_.-:=+*#X+~--.-||||u~x>")


def plain(text: str) -> str:
    """On one line, without anything that a terminal would obey: names and details come from outside."""
    return "".join(_printable(sign) for sign in text[:_LONGEST])


def _printable(sign: str) -> str:
    if sign.isspace():
        return " "
    # A variation selector changes the width of the sign before it, in some terminals alone.
    if unicodedata.category(sign) in _UNPRINTABLE or "\ufe00" <= sign <= "\ufe0f":
        return "?"
    return sign


def fit(text: str, width: int) -> str:
    """Cut to `width` cells, the last of them an ellipsis where something was left out."""
    if cell_len(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 0 else ""


def left(text: str, width: int) -> str:
    """Cut or filled up to exactly `width` cells, text at the left."""
    cut = fit(text, width)
    return cut + " " * (width - cell_len(cut))


def right(text: str, width: int) -> str:
    """Cut or filled up to exactly `width` cells, text at the right."""
    cut = fit(text, width)
    return " " * (width - cell_len(cut)) + cut


def wrap(text: str, width: int) -> list[str]:
    """Broken at spaces into lines of at most `width` cells; a longer word is broken where it must be."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        if line and cell_len(line) + 1 + cell_len(rest) <= width:
            line += " " + rest
            continue
        if line:
            lines.append(line)
        while cell_len(rest) > width:
            head = _head(rest, width) or rest[0]
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line] if line else lines


def rows(label: str, text: str, *, indent: int = 2, label_width: int = LABEL, most: int = 4) -> list[str]:
    """A label and its text beside it, wrapped under itself to at most `most` lines."""
    start = indent + label_width + 1
    lines = wrap(text, WIDTH - start)
    if len(lines) > most:
        lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), WIDTH - start)]
    head = " " * indent + left(label, label_width) + " "
    return [(head if number == 0 else " " * start) + line for number, line in enumerate(lines or [""])]


def columns(cells: Sequence[tuple[str, int]], *, indent: int = 2, gap: str = "  ") -> str:
    """One line of a table: positive widths hold text at the left, negative ones at the right."""
    return " " * indent + gap.join(left(text, width) if width > 0 else right(text, -width) for text, width in cells)


def finished(lines: Iterable[str]) -> str:
    """The text of all lines, each cut to the width, none with spaces at its end."""
    return "".join(fit(line.rstrip(), WIDTH) + "\n" for line in lines)


def in_ascii(text: str) -> str:
    """As wide, for a terminal that knows nothing but ASCII. A sign that combines with the one before it has no width of
    its own, and leaves nothing."""
    return "".join(sign if sign.isascii() else "?" * cell_len(sign) for sign in text.translate(_ASCII))


def _head(text: str, width: int) -> str:
    """The longest beginning that fits."""
    end = min(len(text), max(width, 0))
    while end and cell_len(text[:end]) > width:
        end -= 1
    while end < len(text) and cell_len(text[: end + 1]) <= width:  # signs without a width of their own
        end += 1
    return text[:end]
