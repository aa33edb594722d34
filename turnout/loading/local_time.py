"""A provider's local time: which instant a time of its clocks is, and that some are none, or two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from turnout.engines import literal
from turnout.engines.duckdb import connect

# Between them it is known on which days a zone changes its clocks; for other times it is found out one by one.
FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
# Within so many days of a change a time is looked at more closely.
NEAR = timedelta(days=3)


@dataclass(frozen=True)
class LocalTime:
    """The local time of a zone, as SQL. Rules of daylight saving are those of the engine's time zone database.

    Parameters
    ----------
    zone : str
        Its name, such as `America/New_York`.
    changes : str
        For each day from `FIRST` to `LAST` a 1 if the clocks are changed on it, or near it, and a 0 if they are not:
        then a local time is one instant.
    """

    zone: str
    changes: str

    @classmethod
    @cache  # it takes a fifth of a second
    def of(cls, zone: str) -> LocalTime:
        """Return the local time of a zone; see `zones`."""
        with connect() as connection:
            ((changes,),) = connection.execute(
                f"""with
                days as (
                    select day, timezone({literal(zone)}, timezone('UTC', day)) - day as ahead
                    from range(timestamp '{FIRST - NEAR}', timestamp '{LAST + 2 * NEAR}', interval 1 day) as days(day)
                ),
                changes as (
                    select day, min(ahead) over near <> max(ahead) over near as is_near from days
                    window near as (order by day rows between {NEAR.days} preceding and {NEAR.days} following)
                )
                select string_agg(cast(cast(is_near as integer) as varchar), '' order by day) from changes
                where day between timestamp '{FIRST}' and timestamp '{LAST}'"""
            ).fetchall()
        return cls(zone, str(changes))

    def in_utc(self, time: str) -> str:
        """Return SQL for the instant of a time, both `timestamp`; null if it is none, or two."""
        # One of these offsets holds at the time, as they hold before and after any change that is near.
        instants = [f"({time} - ({self._ahead(time, days)}))" for days in (-1, 1)]
        is_so = [f"{self._shown(instant)} = {time}" for instant in instants]
        bit = f"get_bit('{self.changes}'::bit, cast(cast({time} as date) - date '{FIRST}' as integer))"
        is_near = f"case when year({time}) between {FIRST.year} and {LAST.year} then {bit} end"
        return f"""case
            when {is_near} = 0 then {self._some_instant(time)}
            when {is_so[0]} and {is_so[1]} and {instants[0]} <> {instants[1]} then null
            when {is_so[0]} then {instants[0]}
            when {is_so[1]} then {instants[1]}
        end"""

    def is_skipped(self, time: str) -> str:
        """Return SQL that says whether no clock of the zone shows a time, as they are put forward over it."""
        return f"{self._shown(self._some_instant(time))} <> {time}"

    def _some_instant(self, time: str) -> str:
        """Return SQL for the instant of a time, in UTC; where there is not just one, for some instant near it."""
        return f"cast(timezone({literal(self.zone)}, {time}) as timestamp)"

    def _shown(self, utc: str) -> str:
        """Return SQL for what the zone's clocks show at an instant."""
        return f"timezone({literal(self.zone)}, timezone('UTC', {utc}))"

    def _ahead(self, time: str, days: int) -> str:
        """Return SQL for what the zone's clocks are ahead of UTC so many days after a time."""
        utc = f"({self._some_instant(time)} + {days} * interval 1 day)"
        return f"{self._shown(utc)} - {utc}"


def zones() -> list[str]:
    """Return the names of all zones."""
    with connect() as connection:
        return [name for (name,) in connection.execute("select name from pg_timezone_names()").fetchall()]
