"""Points stand above each other: what stands behind them is of one width in each column."""

import re

from reports.html.decimal_columns import FIGURE_SPACE, POINT_SPACE, align_columns


def table(*rows: tuple[str, ...], kind: str = "figures") -> str:
    body = "".join(f'<tr><th scope="row">name</th>{"".join(f"<td>{cell}</td>" for cell in row)}</tr>' for row in rows)
    return f'<p>0.5</p><table class="{kind}"><thead><tr><th>1.5</th></tr></thead><tbody>{body}</tbody></table>'


def behind_the_point(cell: str) -> int:
    """How many figures' widths a cell has behind the place of its point."""
    cell = cell.replace("<b>", "").replace("</b>", "")
    return len(cell) - cell.index("." if "." in cell else POINT_SPACE if POINT_SPACE in cell else FIGURE_SPACE) - ("." in cell)


def cells(page: str) -> list[str]:
    return re.findall(r"<td>(.*?)</td>", page)


def test_what_lacks_figures_behind_its_point_gets_as_many_spaces():
    one = cells(align_columns(table(("0.0566",), ("0.135",), ("−1,000.5",), ("<b>7.25</b>",))))
    assert {behind_the_point(cell) for cell in one} == {4}
    assert [cell.replace(FIGURE_SPACE, "") for cell in one] == ["0.0566", "0.135", "−1,000.5", "<b>7.25</b>"]


def test_columns_that_are_not_aligned_are_seen():
    assert {behind_the_point(cell) for cell in ("0.0566", "0.135")} == {4, 3}


def test_a_whole_number_gets_the_place_of_a_point_too():
    whole, broken = cells(align_columns(table(("12",), ("0.25",))))
    assert (whole, broken) == (f"12{FIGURE_SPACE * 2}{POINT_SPACE}", "0.25")


def test_each_column_is_its_own():
    assert cells(align_columns(table(("1.5", "3"), ("2.25", "4")))) == [f"1.5{FIGURE_SPACE}", "3", "2.25", "4"]


def test_powers_of_ten_are_aligned_among_themselves():
    long, short, plain = cells(align_columns(table(("2.22 × 10<sup>−16</sup>",), ("1.00 × 10<sup>−7</sup>",), ("0.5",))))
    assert short == f"1.00 × 10<sup>−7{FIGURE_SPACE}</sup>"
    assert (long, plain) == ("2.22 × 10<sup>−16</sup>", "0.5")


def test_words_and_other_tables_stay_as_they_are():
    for page in (table(("–",), ("never",), ("0.12 ± 0.05",)), table(("0.5",), ("0.25",), kind="figures cells"), table(("0.5",), ("0.25",), kind="probes")):
        assert align_columns(page) == page
