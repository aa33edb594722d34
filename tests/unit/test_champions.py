"""Who becomes champion: by the gate, by a person, by going back; and what of it can be made once more."""

from __future__ import annotations

import pytest
from worlds import World

from ml.judging.limits import Limits
from ml.models.candidates import Candidate
from ml.serving.champions import approve, roll_back, waiting
from ml.serving.scoring import score
from ml.training.replay import replay
from ml.training.result import Training
from ml.training.training import train
from turnout.errors import ModelError

ONE_YEAR_ON = """
    insert into predictions.will_return by name
    select * replace (day + 364 as day) from predictions.will_return
"""


def trained(world: World) -> Training:
    return train(world.warehouse, world.prediction, world.models, world.provenance)


def champion(world: World) -> int | None:
    found = world.champion
    return None if found is None else found.version


def waits(world: World) -> list[int]:
    with world.warehouse.session() as session:
        return waiting(session, "will_return")


def approved(world: World, version: int, name: str = "the one on duty", reason: str = "looked at every group") -> None:
    approve(world.warehouse, world.prediction, world.models, version, name=name, reason=reason)


def rolled_back(world: World, version: int, name: str = "the one on duty", *, override: bool = False) -> None:
    roll_back(
        world.warehouse, world.prediction, world.models, version, name=name, reason="complaints", override=override
    )


def obsolete(world: World) -> None:
    """Ask another question, so that the next challenger takes the champion's place."""
    world.declare(horizon_days=world.prediction.examples.horizon_days + 1, gap_days=20)


def test_where_approval_is_required_a_challenger_waits_for_a_person_with_name_and_reason(world: World) -> None:
    world.declare(requires_approval=True)
    training = trained(world)
    assert (training.decision.outcome, champion(world)) == ("waits", None)
    assert waits(world) == [1]
    assert score(world.warehouse, world.prediction, world.models) is None
    for name, reason, missing in (("", "why", "name"), ("who", "  ", "reason")):
        with pytest.raises(ModelError, match=f"The {missing} is missing"):
            approved(world, 1, name, reason)
    approved(world, 1)
    assert (champion(world), waits(world)) == (1, [])
    assert world.rows("select how, name, reason, example_count from records.champions") == [
        ("approved", "the one on duty", "looked at every group", 18 * 200)
    ]
    assert score(world.warehouse, world.prediction, world.models) is not None


def test_only_what_the_gate_let_through_can_be_approved_and_only_over_its_own_rival(world: World) -> None:
    trained(world)
    trained(world)
    with pytest.raises(ModelError, match=r"Version 2 does not wait for an approval.*the champion stays"):
        approved(world, 2)
    with pytest.raises(ModelError, match="There is no version 9"):
        approved(world, 9)
    obsolete(world)
    world.declare(requires_approval=True)
    assert trained(world).decision.outcome == "waits"
    rolled_back(world, 2, override=True)
    with pytest.raises(ModelError, match="was compared with champion version 1, but champion version 2 is in place"):
        approved(world, 3)


def test_what_never_was_champion_comes_back_only_against_the_gate_and_that_is_on_record(world: World) -> None:
    trained(world)
    trained(world)  # newer than the champion, and refused
    with pytest.raises(ModelError, match=r"Version 2 never was champion.*the champion stays") as told:
        rolled_back(world, 2)
    assert "name one that was: 1;" in str(told.value)
    assert champion(world) == 1
    rolled_back(world, 2, override=True)
    assert world.rows("select number, version, how, name, reason from records.champions order by number") == [
        (1, 1, "promoted", None, world.rows("select reason from records.promotions where version = 1")[0][0]),
        (2, 2, "overridden", "the one on duty", "complaints"),
    ]
    rolled_back(world, 1)
    rolled_back(world, 2)  # it was champion, and still the gate never let it be
    assert world.rows("select how from records.champions order by number desc limit 1") == [("overridden",)]


def test_the_last_one_made_champion_is_champion_also_after_the_clock_went_back(world: World) -> None:
    trained(world)
    obsolete(world)
    trained(world)
    world.change("update records.champions set since = since + interval 1 year")
    rolled_back(world, 1)
    assert champion(world) == 1


def test_a_version_that_once_was_champion_can_be_brought_back_with_the_fit_it_had_in_service(world: World) -> None:
    trained(world)
    ((served,),) = world.rows("select file from records.champions")
    obsolete(world)
    trained(world)
    assert champion(world) == 2
    with pytest.raises(ModelError, match="Version 2 is the champion already"):
        rolled_back(world, 2)
    rolled_back(world, 1)
    found = world.champion
    assert found is not None
    assert (found.version, found.file) == (1, served)
    scored = score(world.warehouse, world.prediction, world.models)
    assert scored is not None
    assert scored.model_version == 1


def test_a_champion_of_an_earlier_release_stays_champion(world: World) -> None:
    """It had no outcomes and no table of champions; its records are brought up once."""
    trained(world)
    world.change(
        "update records.promotions set outcome = null; drop table records.champions; delete from records.migrations"
    )
    assert (champion(world), champion(world)) == (1, 1)
    assert world.rows("select version, how from records.champions") == [(1, "promoted")]
    assert "champion version 1" in trained(world).decision.reason


def test_going_back_to_a_version_whose_file_was_changed_is_refused(world: World) -> None:
    trained(world)
    trained(world)
    file = world.models / "will_return" / "2" / "evaluated.skops"
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(ModelError, match="has changed"):
        rolled_back(world, 2, override=True)
    assert champion(world) == 1


def test_a_challenger_that_breaks_a_declared_limit_is_kept_out_and_the_limit_is_on_record(world: World) -> None:
    world.declare(limits=Limits(calibration_error=0.0001), slices={"strong ones": "strength > 0.9"})
    training = trained(world)
    assert training.decision.outcome == "kept"
    assert "breaks the limit calibration_error" in training.decision.reason
    rows = world.rows("select limit_name, passed from records.promotion_limits where group_column = ''")
    assert rows == [("calibration_error", False)]
    groups = world.rows("select distinct group_value from records.evaluations where group_column = 'slice'")
    assert groups == [("strong ones",)]


def test_a_champion_that_breaks_its_limits_on_the_latest_holdout_is_told(world: World) -> None:
    trained(world)
    world.declare(limits=Limits(calibration_error=0.0001))
    again = trained(world)
    assert [finding.limit_name for finding in again.champion_limit_findings] == ["calibration_error"]


def test_labels_inside_the_gap_never_count(world: World) -> None:
    """Whatever came true between the training's last date and the holdout, what is measured and decided is the same."""
    first = trained(world)
    measured = "select * from records.evaluations order by all"
    before, gap = world.rows(measured), ", ".join(f"'{day}'" for day in first.split.gap)
    assert gap
    world.change("drop schema records cascade")
    world.change(f"update predictions.will_return set outcome = 1 - outcome where day in ({gap})")
    second = trained(world)
    assert world.rows(measured) == before
    assert second.decision.reason == first.decision.reason


def test_a_version_is_made_once_more_from_its_record(world: World) -> None:
    world.declare(candidates=(Candidate("lightgbm"),))
    trained(world)
    world.change(ONE_YEAR_ON)  # what came later does not matter
    found = replay(world.warehouse, world.prediction, world.models, 1, "commit 1")
    assert found.is_same
    assert (found.example_count, found.other_code, found.other_libraries) == (3 * 200, True, {})
    world.change("update predictions.will_return set strength = 0.5 where entity = 7 and day = '2024-02-04'")
    with pytest.raises(ModelError, match="are not those that version 1 was made from"):
        replay(world.warehouse, world.prediction, world.models, 1, "commit 1")
