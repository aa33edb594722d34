"""What a person should look at in a prediction's examples, in words.

A finding is a warning, not an error: each may be right, and then the declaration acknowledges it with a reason. Limits
are such that an honest column seldom reaches them. Several follow Kapoor and Narayanan 2023, Leakage and the
reproducibility crisis in machine-learning-based science: features that stand for the label, a test set that is not
drawn from what is asked about, entities on both sides of a split.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ml.declaration import FINDINGS
from ml.examples.keys import FINDING
from ml.examples.plausibility import in_words
from turnout.leakage.result import FINDINGS as AUDIT_FINDINGS

if TYPE_CHECKING:
    from ml.examples.keys import KeyColumn
    from ml.examples.plausibility import Implausible
    from ml.features.measures import Duplicates, Measures, Shift, Unlabelled
    from ml.tasks.strength import Strength, StrengthMeasure

# What can be found here; the others are the leakage audit's.
REVIEWED = frozenset(FINDINGS) - frozenset(AUDIT_FINDINGS)

# What one example in twenty has can hardly teach anything, and a mistake in a join looks like this.
MISSING = 0.95
# As for the columns of a load: more than chance, and by so much that a step upstream must have changed.
MISSING_CHANGE = 0.1
# A few examples may lack a label for a good reason; one in a hundred moves what the holdout says.
UNLABELLED = 0.01
# What people can know beforehand seldom orders so well; ROC AUC, or Spearman's correlation.
STRONG = 0.95
# Nothing but the label itself, or what it is made from, orders so well.
COPIES = 0.99
# Of ten errors that guessing the commoner class makes, not even half a one is left.
ERRORS_LEFT = 0.05
# As for the columns of a load: corresponds to a population stability index of about 0.25.
DRIFT = 0.2
# A strength is worth speaking of from here on (an ROC AUC of 0.6), and has vanished if less than a third is left.
STRENGTH, STRENGTH_LEFT = 0.2, 1 / 3
# Beyond so many standard errors a change of strength is not chance; one column of a thousand reaches that.
STANDARD_ERRORS = 3.1
# ROC AUC of telling late from early: nearly all late examples are beyond the early ones.
TELLS_LATE = 0.95
# The same for a number that never falls, or never rises: two of three late examples are beyond an early one.
TELLS_LATE_IN_STEPS = 0.65
# Steps against the direction of a count; corrections of data make a few.
STEPS_BACK = 0.001
# A text that so few entities share tells who they are. Numbers are more often unique without being a name, so each must
# belong to one entity and each entity to one, or none may be repeated in many examples.
ENTITIES_PER_NAME = 2.0
ONE_TO_ONE = 1.1
NEVER_REPEATED = 1000
# As-of dates at which two entities must be equal, and different examples among them: what happens to two entities by
# chance, such as one equal purchase, does not go on changing in the same way.
DUPLICATE_DATES = 6
# Where more examples than that are equal to others without being duplicates, values are so few that duplicates mean
# nothing.
EQUAL_BY_CHANCE = 0.05
# Where two entities are equal for as long by chance, about as many pairs differ in the end as have not yet differed.
PAIRS_BY_CHANCE = 2

# Words of what the law protects: article 21 of the Charter of Fundamental Rights of the European Union, article 9 of
# the General Data Protection Regulation, the Equal Credit Opportunity Act (15 U.S.C. 1691). Some are two words.
SENSITIVE_WORDS = frozenset(
    """
    age ages birth birthdate birthday birthyear born dob gender sex sexual sexuality transgender
    race racial ethnic ethnicity skin_color skin_colour nationality national_origin citizen citizenship
    immigrant immigration migrant native_language mother_tongue religion religious faith church belief
    political politics partisan ideology party union_member union_membership
    disability disabilities disabled handicap health medical diagnosis disease illness hiv genetic biometric
    pregnant pregnancy maternity marital married divorced widowed spouse children public_assistance
    """.split()  # noqa: SIM905 - a list would take a line for each
)
# An age in years is a person's; in other units, something's: an account's, a basket's.
_AGE_OF_A_THING = re.compile(r"(?:^|_)age_(?:in_)?(?:seconds|minutes|hours|days|weeks|months)(?=_|$)")
# A race that was run, or a party that was held, is something that happens: it has a date, a number and a last time.
_EVENT = re.compile(
    r"(?:^|_)(?:(?:since|until|before|after|last|first|next|previous|per|count|number|num|n|total)(?:_of)?_(?:race|party)"
    r"|(?:race|party)_(?:count|number|date|day|time|distance|result|size|id))(?=_|$)"
)


# By how much each matters: what stops a training, what makes a metric untrue, what a decision must not rest on, what
# may not hold for what is scored, and what merely teaches nothing.
RANKS: Mapping[str, int] = {
    name: rank
    for rank, names in enumerate(
        (
            ("implausible_labels",),
            ("copies_label",),
            ("single_feature_leak", "duplicate_entities", "unlabelled"),
            ("sounds_sensitive", "identifier", "monotone_over_time"),
            ("unstable", "missing"),
            ("constant",),
        )
    )
    for name in names
}


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at.

    Parameters
    ----------
    name : str
        A name in `ml.declaration.FINDINGS`.
    subject : str
        The column that it is about.
    message : str
        What was measured, why it matters, what to do.
    acknowledged : str
        The reason a person gave why it is right; empty if there is none.
    strength : float
        How strongly the column alone says the label, from 0 to 1; 1 for what is about no feature.
    """

    name: str
    subject: str
    message: str
    acknowledged: str = ""
    strength: float = 1.0

    @property
    def rank(self) -> tuple[int, float]:
        """Where it stands: what matters most is first, and of what matters alike the strongest column."""
        return RANKS[self.name], -self.strength


def findings_of(
    measures: Measures, measure: StrengthMeasure, *, entity: str, examples_per_entity: float
) -> Iterator[Finding]:
    """Yield what is to be said about a feature.

    Parameters
    ----------
    measures : Measures
        Of the feature.
    measure : StrengthMeasure
        By what its strength is measured.
    entity : str
        What the column of the entity is called.
    examples_per_entity : float
        On average; where entities do not come again, a number that each has for itself is no name.
    """
    name = measures.name
    if sounds_sensitive(name):
        yield Finding(
            "sounds_sensitive",
            name,
            "its name sounds like something that the law protects, and a model may decide by it. Declare it under "
            "'sensitive', so that it is no feature and metrics are reported for its groups.",
        )
    if measures.distinct_values == 1 and not measures.missing["all"]:
        yield Finding("constant", name, "it has the same value in every example, so it teaches nothing. Leave it out.")
        return
    missing = _missing(measures)
    if missing:
        yield Finding("missing", name, missing)
    monotone_over_time = _monotone_over_time(measures, entity)
    named = _identifier(measures, entity, examples_per_entity)
    if monotone_over_time:
        yield Finding("monotone_over_time", name, monotone_over_time)
    elif named:
        yield Finding(FINDING, name, named)
    copies = _copies_label(measures, measure)
    strong = "" if copies else _single_feature_leak(measures, measure)
    if copies:
        yield Finding("copies_label", name, copies)
    if strong:
        yield Finding("single_feature_leak", name, strong)
    # That the distribution moves is what counting up means; of a name, that other values come.
    unstable = [_strength_changed(measures, measure), "" if monotone_over_time or named else _drifted(measures)]
    if any(unstable):
        yield Finding(
            "unstable",
            name,
            f"{'; and '.join(part for part in unstable if part)}. What was learned may not hold for what is scored. "
            "See whether its source has changed, or take a window or a share that does not move.",
        )


def key_finding(key: KeyColumn) -> Finding:
    """Return what is to be said about a column that is like a key."""
    has = f"it is named like a key, and has {key.values:,} values for {key.entities:,} entities"
    name = key.feature.name
    if key.is_feature:
        return Finding(FINDING, name, f"{has}. It is a feature all the same, as that is acknowledged.")
    return Finding(
        FINDING,
        name,
        f"{has}, so it is left out of the features. If that is right, declare 'ignore: [{name}]'. If it is no key, say "
        f"why, and it is a feature again: acknowledged: {{{FINDING}: {{{name}: 'the reason'}}}}.",
    )


def unlabelled_finding(unlabelled: Unlabelled, label: str) -> Iterator[Finding]:
    """Yield what is to be said about examples that should have a label and have none."""
    if unlabelled.share >= UNLABELLED:
        yield Finding(
            "unlabelled",
            label,
            f"{unlabelled.example_count:,} examples ({unlabelled.share:.1%}) have none, at {unlabelled.as_of_dates} "
            "as-of dates up to the last that has matured. Such examples are scored, but the holdout has none of them, "
            "so its metrics are about others. Give each a label, or leave what can have none out of all examples.",
        )


def implausible_finding(found: Sequence[Implausible], label: str) -> Iterator[Finding]:
    """Yield what is to be said about labels that nobody can believe; a training refuses them."""
    if found:
        yield Finding(
            "implausible_labels",
            label,
            f"{in_words(found)}. Nothing is learned from them until a person has said why they are right. See whether "
            "what the label is made from was loaded whole, and let it be null where it was not.",
        )


def duplicates_finding(duplicates: Duplicates, entity: str) -> Iterator[Finding]:
    """Yield what is to be said about entities that seem to be one and the same."""
    is_beyond_chance = len(duplicates.pairs) > PAIRS_BY_CHANCE * duplicates.differing_pairs
    if is_beyond_chance and duplicates.equal_by_chance <= EQUAL_BY_CHANCE:
        shown = "; ".join(f"{one} and {other} at {dates} as-of dates" for one, other, dates in duplicates.pairs[:3])
        pairs = "pair has" if len(duplicates.pairs) == 1 else "pairs have"
        yield Finding(
            "duplicate_entities",
            entity,
            f"{len(duplicates.pairs):,} {pairs} the same features and the same label wherever both have an example, "
            f"though they change ({shown}): probably one entity under two ids, which counts twice and stands on both "
            "sides of any split by entity. Make them one upstream.",
        )


def sounds_sensitive(name: str) -> bool:
    """Return whether a column's name has a word of what the law protects.

    >>> sounds_sensitive("age_band"), sounds_sensitive("account_age_days"), sounds_sensitive("days_since_last_race")
    (True, False, False)
    """
    words = _EVENT.sub("", _AGE_OF_A_THING.sub("", name.lower())).split("_")
    together = {f"{one}_{other}" for one, other in pairwise(words)}
    return not SENSITIVE_WORDS.isdisjoint([*words, *together])


def _missing(measures: Measures) -> str:
    if measures.missing["all"] >= MISSING:
        return (
            f"it is missing in {measures.missing['all']:.1%} of the examples. See whether a join finds nothing, or "
            "leave it out."
        )
    changes = (
        (measures.missing_change, "early", "late", "early examples", "late ones"),
        (measures.missing_newest, "holdout", "newest", "examples of the holdout", "those of the newest as-of date"),
    )
    for change, one, other, ones, others in changes:
        if change and change.value > MISSING_CHANGE + change.by_chance:
            return (
                f"it is missing in {measures.missing[one]:.1%} of the {ones} and in {measures.missing[other]:.1%} of "
                f"{others}. A model learns what missing means, and that has changed. See from when on its source has "
                "data."
            )
    return ""


def _monotone_over_time(measures: Measures, entity: str) -> str:
    if measures.tells_late is None or measures.steps is None:
        return ""
    back = min(measures.steps.up, measures.steps.down)
    is_count = back <= STEPS_BACK and measures.tells_late >= TELLS_LATE_IN_STEPS
    if not is_count and measures.tells_late < TELLS_LATE:
        return ""
    way = "falls" if measures.steps.down <= measures.steps.up else "rises"
    how = f", and for each {entity} it hardly ever {way}" if is_count else ""
    return (
        f"it tells late as-of dates from early ones (ROC AUC {measures.tells_late:.2f}){how}: it counts with the "
        "calendar, so what is scored lies beyond what was learned from. Take a window, or divide by the time it covers."
    )


def _identifier(measures: Measures, entity: str, examples_per_entity: float) -> str:
    names = measures.names
    if names is None:
        return ""
    if measures.kind == "categorical":
        if names.entities_per_value > ENTITIES_PER_NAME:
            return ""
        what = f"its {measures.distinct_values:,} values have {names.entities_per_value:.1f} {entity} each on average"
    elif max(names.entities_per_value, names.values_per_entity) <= ONE_TO_ONE and examples_per_entity >= 2:
        what = f"each {entity} has its own value, and always the same"
    elif measures.is_never_repeated and measures.distinct_values >= NEVER_REPEATED:
        what = f"no two of its {measures.distinct_values:,} values are equal, and all are whole numbers"
    else:
        return ""
    return (
        f"{what}: it tells who, not what, and a model that learns it by heart knows nothing about others. Leave it "
        "out, or take what is behind it."
    )


def _strongest(measures: Measures) -> tuple[str, Strength] | None:
    """Return the period in which the column is strongest; a leak may begin or end with its source."""
    return max(measures.strength.items(), key=lambda found: abs(found[1].signed), default=None)


def _copies_label(measures: Measures, measure: StrengthMeasure) -> str:
    strongest = _strongest(measures)
    remedy = "Leave it out, or take from its source only what is known before the as-of date."
    if strongest and measure.shown(strongest[1]) >= COPIES:
        return f"it says by itself what the label is: {_strength_in_words(*strongest, measure)}. {remedy}"
    if measures.errors_left is not None and measures.errors_left <= ERRORS_LEFT:
        return (
            "it says by itself what the label is: guessing by its value leaves "
            f"{measures.errors_left:.1%} of the errors of guessing the commoner class, on late examples. {remedy}"
        )
    return ""


def _single_feature_leak(measures: Measures, measure: StrengthMeasure) -> str:
    strongest = _strongest(measures)
    if strongest is None or measure.shown(strongest[1]) < STRONG:
        return ""
    return (
        f"it is suspiciously strong by itself: {_strength_in_words(*strongest, measure)}. It may be measured after "
        "the as-of date, or be made from what the label is made from. See what it is when it is scored."
    )


def _strength_in_words(period: str, strength: Strength, measure: StrengthMeasure) -> str:
    where = "over all examples" if period == "all" else f"over the {period} examples"
    return f"{measure.title} {measure.shown(strength):.3f} {where}"


def _drifted(measures: Measures) -> str:
    changes = (
        (measures.drift, "from early to late as-of dates"),
        (measures.drift_newest, "from the holdout to the newest as-of date, which is scored"),
    )
    found = [
        f"{change.value:.2f} {when} (by chance up to {change.by_chance:.2f})"
        for change, when in changes
        if change and _is_beyond(change)
    ]
    return f"its distribution moves by {' and '.join(found)}" if found else ""


def _is_beyond(change: Shift) -> bool:
    return change.value > min(1.0, math.hypot(DRIFT, change.by_chance))


def _strength_changed(measures: Measures, measure: StrengthMeasure) -> str:
    if not {"early", "late"} <= measures.strength.keys():
        return ""
    early, late = measures.strength["early"], measures.strength["late"]
    by_chance = STANDARD_ERRORS * math.hypot(early.error, late.error)
    strong, weak = sorted((early, late), key=lambda strength: -abs(strength.signed))
    left = weak.signed * math.copysign(1, strong.signed)
    if abs(strong.signed) < STRENGTH or left > STRENGTH_LEFT * abs(strong.signed):
        return ""
    if abs(early.signed - late.signed) <= by_chance:
        return ""
    shown = [f"{measure.shown(strength):.2f}" for strength in (early, late)]
    has_turned = left < -by_chance / 2
    how = "turns round" if has_turned else ("vanishes" if strong is early else "appears")
    return f"its strength {how} (alone {shown[0]} early, {shown[1]} late)"
