"""How a column is cleaned and compared, by its kind.

A comparison has levels, the closest first. Splink learns for each how often two records of the same thing reach it, and
how often two records of different things do. A missing value is no level: it speaks neither for nor against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnout.engines import Expressions, identifier
from turnout.linking.declaration import Kind

if TYPE_CHECKING:
    from splink.internals.comparison_creator import ComparisonCreator
    from splink.internals.comparison_level_creator import ComparisonLevelCreator
    from splink.internals.dialects import SplinkDialect


@dataclass(frozen=True)
class Level:
    """One level of a comparison.

    Parameters
    ----------
    label : str
        What it is called.
    sql : str
        The condition on the values `{0}_l` and `{0}_r`; empty for all that no other level takes. Where another name
        stands in braces, the engine's own name of that function is put in.
    usual : float
        The share of pairs of the same thing that usually reach it. It stands in for what cannot be learned from few
        records; see `turnout.linking.matching`.
    """

    label: str
    sql: str
    usual: float


EQUAL = "{0}_l = {0}_r"

LEVELS: dict[Kind, tuple[Level, ...]] = {
    "name": (
        Level("equal", EQUAL, 0.85),
        Level("nearly equal", "{jaro_winkler}({0}_l, {0}_r) >= 0.92", 0.05),
        Level("similar", "{jaro_winkler}({0}_l, {0}_r) >= 0.88", 0.03),
        Level("somewhat similar", "{jaro_winkler}({0}_l, {0}_r) >= 0.7", 0.03),
        Level("different", "", 0.04),
    ),
    "exact": (Level("equal", EQUAL, 0.95), Level("different", "", 0.05)),
    "year": (
        Level("equal", EQUAL, 0.92),
        Level("off by one", "abs({0}_l - {0}_r) <= 1", 0.04),
        Level("different", "", 0.04),
    ),
    "code": (
        Level("equal", EQUAL, 0.85),
        Level("one slip", "{damerau_levenshtein}({0}_l, {0}_r) <= 1", 0.05),
        Level("same beginning", "left({0}_l, 3) = left({0}_r, 3)", 0.05),
        Level("different", "", 0.05),
    ),
}


def cleaned(column: str, kind: Kind, expressions: Expressions) -> str:
    """Return the SQL of a column's value as it is compared; what is blank is null.

    Names and codes are compared without regard to case, accents, blanks and punctuation; years as whole numbers.
    """
    name = identifier(column)
    text = f"cast({name} as string)"
    match kind:
        case "name" | "code":
            return expressions.comparable_text(text)
        case "year":
            return f"try_cast(try_cast({text} as double) as integer)"
        case "exact":
            return f"nullif(trim({text}), '')"


def comparison(column: str, kind: Kind, dialect: SplinkDialect) -> ComparisonCreator:
    """Return splink's comparison of a column by its kind, in the dialect of the engine on which it compares."""
    from splink import comparison_level_library as levels
    from splink import comparison_library as comparisons

    functions = {
        "jaro_winkler": dialect.jaro_winkler_function_name,
        "damerau_levenshtein": dialect.damerau_levenshtein_function_name,
    }

    def creator(level: Level) -> ComparisonLevelCreator:
        if level.sql == EQUAL:
            # That two share a rare name says more than that they share a common one.
            return levels.ExactMatchLevel(column, term_frequency_adjustments=kind == "name")
        return levels.CustomLevel(level.sql.format(column, **functions)) if level.sql else levels.ElseLevel()

    found = [creator(one).configure(label_for_charts=one.label, m_probability=one.usual) for one in LEVELS[kind]]
    return comparisons.CustomComparison([levels.NullLevel(column), *found], output_column_name=column)
