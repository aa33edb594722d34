"""Leaks of every known kind, each as something that a person might write, with the checks that must catch it.

Kinds L1.1 to L3.3 are those of S. Kapoor and A. Narayanan, "Leakage and the reproducibility crisis in
machine-learning-based science", Patterns 4 (9), 2023; "warehouse" are those that grow where data are kept. What is not
caught stands here as well, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DECLARATION = "declaration"
KEY = "dbt test of the key"
EXAMPLES = "check of the examples"
LATER_EVENTS = "audit, later events"
LATER_LOADS = "audit, later loads"
LABEL = "audit, the label's window"
COVERAGE = "audit, coverage"
CANDIDATE = "check of the candidate"


def finding(name: str) -> str:
    """Return the check that is a finding of the feature review."""
    return f"review, {name}"


@dataclass(frozen=True)
class Leak:
    """One leak, planted in one way.

    Parameters
    ----------
    kind : str
        The kind, by Kapoor and Narayanan, or "warehouse".
    name : str
        What is wrong, in a few words.
    caught_by : tuple of str
        The checks that must catch it, all of them; others may as well. Empty if nothing does.
    sql : str
        The prediction's model, for a leak that stands in SQL; `{honest}` are honest examples.
    declares : mapping
        Keys of the declaration that differ from those of the honest prediction.
    candidate : str
        How a candidate of the data scientist's own is made, for a leak that stands in Python; see `benchmarks.leaks`.
    when : {"now", "before loads tell", "after late files"}
        In which state of the warehouse it is looked for.
    missed_because : str
        Why nothing catches it.
    """

    kind: str
    name: str
    caught_by: tuple[str, ...]
    sql: str = ""
    declares: Mapping[str, Any] = field(default_factory=dict)
    candidate: Literal["", "fitted scaler", "fitted selection", "scaled while scoring"] = ""
    when: Literal["now", "before loads tell", "after late files"] = "now"
    missed_because: str = ""

    @property
    def model(self) -> str:
        """The name of the planted model."""
        words = "".join(character if character.isalnum() else " " for character in self.name.lower()).split()
        return f"planted_{'_'.join(words)}"


HONEST = """
    select
        household_id, as_of_date, days_since_last_purchase, mean_days_between_purchases, count_baskets_28d,
        count_baskets_56d, sales_value_28d, sales_value_56d, max_basket_value_56d, has_lapsed
    from {{ ref('household_lapse') }}
"""

_BASKETS = "{{ ref('int_baskets_aggregated') }} as baskets where baskets.household_id = honest.household_id"


def _column(expression: str) -> str:
    return f"select honest.*, {expression} as planted from ({{honest}}) as honest"


def _label(expression: str) -> str:
    return f"select * replace ({expression} as has_lapsed) from ({{honest}}) as honest"


_TRAINING_AND_TEST = (
    Leak("L1.1 no test set", "no holdout", (DECLARATION,), declares={"holdout_dates": 0}),
    Leak(
        "L1.2 preprocessing on training and test",
        "standardised over all rows in SQL",
        (LATER_EVENTS,),
        _column("(sales_value_56d - avg(sales_value_56d) over ()) / stddev(sales_value_56d) over ()"),
    ),
    Leak(
        "L1.2 preprocessing on training and test",
        "global mean for what is missing",
        (LATER_EVENTS,),
        _column("coalesce(mean_days_between_purchases, avg(mean_days_between_purchases) over ())"),
    ),
    Leak(
        "L1.2 preprocessing on training and test",
        "a scaler fitted on the holdout too",
        (CANDIDATE,),
        candidate="fitted scaler",
    ),
    Leak(
        "L1.2 preprocessing on training and test",
        "a scaler fitted again while scoring",
        (CANDIDATE,),
        candidate="scaled while scoring",
    ),
    Leak(
        "L1.3 feature selection on training and test",
        "features selected on the holdout too",
        (CANDIDATE,),
        candidate="fitted selection",
    ),
    Leak(
        "L1.3 feature selection on training and test",
        "a person tries until the holdout likes it",
        (),
        missed_because="Only who is asked knows how often the holdout was looked at; each training is on record.",
    ),
    Leak(
        "L1.4 duplicates",
        "examples that stand twice",
        (KEY, EXAMPLES),
        "select * from ({honest}) as honest union all select * from ({honest}) as again where household_id % 25 = 3",
    ),
    Leak(
        "L1.4 duplicates",
        "an entity under two ids",
        (finding("duplicate_entities"),),
        """select * from ({honest}) as honest
        union all select * replace (household_id + 1000000 as household_id) from ({honest}) as again
        where household_id % 25 = 3""",
    ),
    Leak(
        "L1.4 duplicates",
        "an entity with a new id from July on",
        (),
        """select * replace (
            case when household_id % 25 = 3 and as_of_date >= date '2017-07-01' then household_id + 1000000
            else household_id end as household_id
        ) from ({honest}) as honest""",
        missed_because="The ids never have an example at the same time. Match them upstream, and declare the match "
        "as 'group'.",
    ),
)

_FEATURES = (
    Leak(
        "L2 features that are not legitimate",
        "the label under another name",
        (finding("copies_label"),),
        _column("case when has_lapsed = 1 then 'closed' when has_lapsed = 0 then 'open' end"),
    ),
    Leak(
        "L2 features that are not legitimate",
        "days until the next purchase",
        (LATER_EVENTS, finding("copies_label")),
        _column(
            f"(select min(baskets.purchased_on) - honest.as_of_date from {_BASKETS} "
            "and baskets.purchased_at >= honest.as_of_date and baskets.is_purchase)"
        ),
    ),
    Leak(
        "L2 features that are not legitimate",
        "a weak proxy from a table without dates",
        (COVERAGE,),
        """select honest.*, demographics.income_band as planted from ({honest}) as honest
        left join {{ ref('stg_complete_journey__demographics') }} as demographics using (household_id)""",
        when="before loads tell",
    ),
)

_TIME = (
    Leak("L3.1 temporal leakage", "a gap shorter than the horizon", (DECLARATION,), declares={"gap_days": 7}),
    Leak(
        "L3.1 temporal leakage",
        "a label beyond the declared horizon",
        (LABEL,),
        _label(
            f"case when has_lapsed is not null then cast((select count(*) = 0 from {_BASKETS} and baskets.is_purchase "
            "and baskets.purchased_at >= honest.as_of_date "
            "and baskets.purchased_at < honest.as_of_date + interval '56' day) as int) end"
        ),
    ),
    Leak(
        "L3.1 temporal leakage",
        "a label that begins before the as-of date",
        (LABEL,),
        _label(
            f"case when has_lapsed is not null then cast((select count(*) = 0 from {_BASKETS} and baskets.is_purchase "
            "and baskets.purchased_at >= honest.as_of_date - interval '7' day "
            "and baskets.purchased_at < honest.as_of_date + interval '28' day) as int) end"
        ),
    ),
    Leak(
        "L3.1 temporal leakage",
        "a label that is known before it has matured",
        (LATER_EVENTS,),
        _label("coalesce(has_lapsed, 0)"),
    ),
    Leak(
        "L3.1 temporal leakage",
        "a number that counts with the calendar",
        (finding("monotone_over_time"),),
        _column("honest.as_of_date - date '2017-01-01'"),
    ),
    Leak(
        "L3.2 training and test are not independent",
        "who it is, as a feature",
        (finding("identifier"),),
        _column("'H' || household_id"),
    ),
    Leak(
        "L3.3 sampling bias in the test distribution",
        "only households that came back later",
        (LATER_EVENTS,),
        f"select * from ({{honest}}) as honest where exists (select 1 from {_BASKETS} "
        "and baskets.purchased_at >= honest.as_of_date + interval '28' day)",
    ),
    Leak(
        "L3.3 sampling bias in the test distribution",
        "labels for the easy examples only",
        (finding("unlabelled"),),
        _label("case when count_baskets_28d > 1 then has_lapsed end"),
    ),
    Leak(
        "L3.3 sampling bias in the test distribution",
        "another population from July on",
        (finding("unstable"),),
        "select * from ({honest}) as honest where as_of_date < date '2017-07-01' or count_baskets_56d > 20",
    ),
)

_WAREHOUSE = (
    Leak(
        "warehouse",
        "an aggregate without a filter on time",
        (LATER_EVENTS,),
        _column(f"(select max(baskets.sales_value) from {_BASKETS})"),
    ),
    Leak(
        "warehouse",
        "until the as-of date, the day included",
        (LATER_EVENTS,),
        _column(f"(select count(*) from {_BASKETS} and baskets.purchased_on <= honest.as_of_date)"),
    ),
    Leak(
        "warehouse",
        "as-of dates from the days on which something happened",
        (LATER_EVENTS,),
        """select * from ({honest}) as honest
        where as_of_date in (select baskets.purchased_on from {{ ref('int_baskets_aggregated') }} as baskets)""",
    ),
    Leak(
        "warehouse",
        "a dimension overwritten later",
        (LATER_LOADS,),
        """select honest.*, demographics.income_band as planted from ({honest}) as honest
        left join {{ ref('stg_complete_journey__demographics') }} as demographics using (household_id)""",
        when="after late files",
    ),
    Leak(
        "warehouse",
        "rows that arrive late",
        (LATER_LOADS,),
        _column(
            f"(select count(*) from {_BASKETS} and baskets.purchased_at < honest.as_of_date "
            "and baskets.purchased_at >= honest.as_of_date - interval '14' day)"
        ),
        when="after late files",
    ),
    Leak(
        "warehouse",
        "an event time that the vendor sets back",
        (),
        missed_because="A row that says it happened before, and came in time, cannot be told from an honest one.",
    ),
)

_ALL = (*_TRAINING_AND_TEST, *_FEATURES, *_TIME, *_WAREHOUSE)
LEAKS: Mapping[str, Leak] = {leak.name: leak for leak in _ALL}
assert len(LEAKS) == len(_ALL), "two leaks have one name"
