from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.report.layout import ELLIPSIS, fit, left, plain, right, rows, wrap

printable = st.text(max_size=80).map(plain)


@given(printable, st.integers(1, 40))
def test_cut_and_filled_texts_have_their_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) <= width
    assert cell_len(left(text, width)) == width
    assert cell_len(right(text, width)) == width


@given(printable, st.integers(2, 40))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_what_was_cut_is_marked() -> None:
    assert fit("部署路由器", 6) == "部署" + ELLIPSIS
    assert fit("deploy", 6) == "deploy"
    assert rows("a", "word " * 100)[-1].endswith(ELLIPSIS)


def test_a_terminals_commands_and_line_breaks_become_visible() -> None:
    assert plain("a\x1b[31mb\nc\u202ed") == "a?[31mb c?d"
