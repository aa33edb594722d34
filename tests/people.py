"""People of a generated country, and what a machine heard of some of them: it is known who is who."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from random import Random

SHORT_FORMS = {
    "Robert": "Bob", "William": "Bill", "Elizabeth": "Liz", "Katherine": "Kate", "Thomas": "Tom", "James": "Jim",
    "Jennifer": "Jenny", "Michael": "Mike", "Christopher": "Chris", "Patricia": "Pat", "Margaret": "Peggy",
    "Daniel": "Dan", "Joseph": "Joe", "Susan": "Sue", "Anthony": "Tony", "Steven": "Steve", "Deborah": "Debbie",
}  # fmt: skip
FIRST_NAMES = [*SHORT_FORMS, *(a + b for a in ("An", "Be", "Cor", "Da", "El", "Fe", "Gar", "Hel", "Is", "Jo", "Kar",
    "Lu", "Mar", "Nor", "Os", "Pe", "Ro", "Sel", "Ti", "Vi") for b in ("a", "bert", "dith", "en", "ice", "lie", "na",
    "ra", "rick", "vin"))]  # fmt: skip
LAST_NAMES = [a + b + c for a in ("Al", "Bar", "Car", "Den", "Fer", "Gor", "Hart", "Jen", "Kel", "Lam", "Mor", "Nel",
    "Os", "Par", "Ram", "San", "Tor", "Wal") for b in ("", "ber", "den", "fel", "ing", "len", "ma", "so", "wa")
    for c in ("by", "er", "ford", "kins", "ley", "man", "ner", "ro", "son", "ton")]  # fmt: skip
REGIONS = ("N", "O", "F", "W")


@dataclass(frozen=True)
class Person:
    person_id: str
    state: str
    first_name: str
    last_name: str
    birth_year: int
    postcode: str


def people(count: int, seed: int = 1) -> list[Person]:
    """Households of one to four, who share a postcode and mostly a name; some names are common, most are rare."""
    random = Random(seed)
    first_names, last_names = _skewed(FIRST_NAMES, random), _skewed(LAST_NAMES, random)
    made: list[Person] = []
    while len(made) < count:
        state = random.choice(REGIONS)
        postcode = f"{REGIONS.index(state) + 2}{random.randrange(max(10, count // 400)):04d}"
        family, born = last_names(), random.randint(1930, 1995)
        for member in range(random.choice((1, 1, 2, 2, 2, 3, 4))):
            last_name = family if random.random() < 0.85 else last_names()
            year = born + round(random.gauss(0, 4)) if member < 2 else min(born + random.randint(20, 35), 2006)
            number = len(made)
            made.append(Person(f"{state}-{number * 7919 % 10**9:09d}", state, first_names(), last_name, year, postcode))
    return made[:count]


def heard(found: list[Person], there: float, seed: int = 2) -> tuple[list[dict[str, object]], dict[str, str]]:
    """What was heard of people, and who they are; those beyond the share `there` are missing in the answer."""
    random = Random(seed)
    records, truth = [], {}
    for number, person in enumerate(found):
        first_name, last_name = person.first_name, person.last_name
        if first_name in SHORT_FORMS and random.random() < 0.3:
            first_name = SHORT_FORMS[first_name]
        first_name = _typo(first_name, random) if random.random() < 0.06 else first_name
        last_name = _typo(last_name, random) if random.random() < 0.08 else last_name
        year: int | None = person.birth_year + (random.choice((-1, 1)) if random.random() < 0.03 else 0)
        postcode: str | None = person.postcode
        if random.random() < 0.05:
            postcode = f"{person.postcode[0]}{random.randrange(10_000):04d}"
        elif random.random() < 0.05:
            postcode = None
        year = None if random.random() < 0.04 else year
        records.append(
            {
                "record_id": f"r-{number:06d}",
                "state": person.state,
                "first_name": first_name.upper() if random.random() < 0.5 else first_name,
                "last_name": last_name,
                "birth_year": year,
                "postcode": postcode,
            }
        )
        if random.random() < there:
            truth[f"r-{number:06d}"] = person.person_id
    return records, truth


def _typo(name: str, random: Random) -> str:
    place = random.randrange(1, len(name) - 1) if len(name) > 2 else 0
    letter = random.choice("aeiounrst")
    return random.choice(
        (
            name[:place] + name[place + 1 :],
            name[:place] + letter + name[place:],
            name[:place] + letter + name[place + 1 :],
            name[:place] + name[place + 1 : place + 2] + name[place] + name[place + 2 :],
        )
    )


def _skewed(names: list[str], random: Random):
    shuffled = random.sample(names, len(names))
    sums = list(accumulate(1 / (rank + 3) for rank in range(len(names))))
    return lambda: shuffled[min(bisect(sums, random.random() * sums[-1]), len(names) - 1)]
