"""A card says what a person should know of a version, and shows what others wrote as text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from worlds import redeclared, world_in

from ml.declaration import SearchBudget
from ml.report import card
from ml.report.plots import plots_of
from ml.tasks import BINARY, REGRESSION, Task
from ml.training.result import Training
from ml.training.training import train
from orchestration.commands import command
from turnout.project.provenance import Provenance

PNG = b"\x89PNG\r\n"
HOSTILE = '<b onclick="x()">|`bold`** [link](http://example.org) ![picture](http://example.org/x.png)\n\n# heading'
PLOTS = {
    BINARY: {"calibration", "gain", "roc", "precision_recall", "importance"},
    REGRESSION: {"calibration", "gain", "residuals", "importance"},
}


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A real training that beats its champion, and waits for a person."""
    world = world_in(tmp_path_factory.mktemp("world"))
    world.declare(
        budget=SearchBudget(trials=0, seconds=1),
        requires_approval=True,
        titles={"strength": "Strength of the habit"},
        slices={"strong ones": "strength > 0.5", "very few": "entity < 5"},
    )
    return train(world.warehouse, world.prediction, world.models, Provenance("commit 1a2b3c", ("load a", "load b")))


class Page(HTMLParser):
    """What a browser would make of a page: its tags, the addresses in them, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.shown = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"} or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_a_card_tells_the_decision_its_evidence_every_group_and_how_to_replay(
    training: Training, tmp_path: Path
) -> None:
    written = card.write(training, tmp_path, command)
    assert written == card.read(tmp_path)
    assert {name: path.read_bytes()[:6] for name, path in written.plots.items()} == dict.fromkeys(PLOTS[BINARY], PNG)
    page = Page(written.html.read_text(encoding="utf-8"))
    decision, version = training.decision, training.version
    shown = " ".join(page.shown.split())
    assert decision.outcome == "waits"
    assert "Waits for a person." in shown
    assert f"{decision.reason}." in shown
    assert 'make approve PREDICTION=will_return VERSION=1 NAME="who" BECAUSE="why"' in shown
    assert decision.decisive.low is not None
    assert decision.decisive.high is not None
    assert f"between {decision.decisive.low:.1%} and {decision.decisive.high:.1%} better" in shown
    judged = [row for row in training.evaluations if (row.candidate, row.metric) == (version.candidate, "log_loss")]
    assert {(row.group_column, row.group_value) for row in judged} == {
        ("", ""), ("age", "old"), ("age", "missing"), ("slice", "strong ones"), ("slice", "very few")
    }  # fmt: skip
    for row in judged:
        interval = "–" if row.low is None else f"{row.low:#.4g} to {row.high:#.4g}"  # noqa: RUF001 - as on the card
        cells = rf"\| {row.example_count} \| {row.entity_count} \| {row.value:#.4g} \| {interval} \|"
        assert not row.group_column or re.search(rf"\| {row.group_value} {cells}", written.markdown)
    assert "Too few entities to judge by (fewer than 30): slice very few." in shown
    assert "git checkout 1a2b3c make replay PREDICTION=will_return VERSION=1" in shown
    for known in (version.data_fingerprint, "load a", "load b", "Strength of the habit", "2024-04-21 to 2024-05-05"):
        assert known in shown


def test_a_card_names_the_keys_that_are_no_features(training: Training, tmp_path: Path) -> None:
    told = "These columns are keys by their names and values, and no features:"
    assert told not in card.write(training, tmp_path).markdown
    assert f"{told} `member_id`." in card.write(replace(training, left_out=("member_id",)), tmp_path).markdown


def test_a_card_needs_nothing_beside_it(training: Training, tmp_path: Path) -> None:
    written = card.write(training, tmp_path)
    html = written.html.read_text(encoding="utf-8")
    addresses = Page(html).addresses
    assert len(addresses) == len(PLOTS[BINARY])
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "default-src 'none'" in html
    assert written.with_pictures().count("](data:image/png;base64,") == len(PLOTS[BINARY])
    assert "](plots/" not in written.with_pictures()


def test_what_others_wrote_is_shown_as_text(training: Training, tmp_path: Path) -> None:
    plain = Page(card.write(training, tmp_path / "plain").html.read_text(encoding="utf-8"))
    hostile = replace(
        training,
        prediction=redeclared(
            training.prediction,
            name=HOSTILE,
            description=HOSTILE,
            entity=HOSTILE,
            titles={"strength": HOSTILE, "age": HOSTILE},
            slices={"strong ones": HOSTILE},
        ),
        version=replace(training.version, load_ids=(HOSTILE,), code_version=f"commit {HOSTILE}"),
        decision=replace(training.decision, reason=HOSTILE),
        evaluations=[
            replace(row, group_value=HOSTILE if row.group_value == "old" else row.group_value)
            for row in training.evaluations
        ],
    )
    page = Page(card.write(hostile, tmp_path / "hostile").html.read_text(encoding="utf-8"))
    assert page.tags == plain.tags
    assert page.addresses[:-1] == plain.addresses[:-1]  # the last picture has the title of a feature
    assert len(page.addresses) == len(plain.addresses)
    assert page.shown.count(" ".join(HOSTILE.split())) >= 8


def test_a_card_is_replaced_as_a_whole(training: Training, tmp_path: Path) -> None:
    card.write(training, tmp_path)
    first = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    again = card.write(replace(training, importance=None), tmp_path)
    left = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert set(first) - set(left) == {Path("plots/importance.png")}
    assert "How much each one moves the predictions is not known" in again.markdown


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
@pytest.mark.parametrize(
    ("label", "predicted"),
    [
        pytest.param([0, 1, 1, 0, 1, 0] * 5, np.linspace(0.1, 0.9, 30), id="usual"),
        pytest.param([0] * 30, np.linspace(0.1, 0.9, 30), id="nothing came true"),
        pytest.param([1] * 30, np.linspace(0.1, 0.9, 30), id="everything came true"),
        pytest.param([0, 1] * 15, [0.5] * 30, id="constant prediction"),
        pytest.param([1], [0.3], id="one example"),
        pytest.param([], [], id="no example"),
        pytest.param([0, 1, 1], [np.nan, np.inf, 0.2], id="not finite"),
    ],
)
@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
def test_every_plot_is_a_picture_whatever_the_holdout(task: Task, label: list[float], predicted: list[float]) -> None:
    plots = plots_of(task, np.array(label), np.array(predicted), {"a": 0.5, "b": 0.0}, {"a": "Costs in $ and $"})
    assert set(plots) == PLOTS[task]
    assert all(image.startswith(PNG) for image in plots.values())
    assert set(plots_of(task, np.array(label), np.array(predicted), None, {})) == PLOTS[task] - {"importance"}


@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
def test_values_far_apart_and_below_zero_can_be_drawn() -> None:
    label, predicted = np.array([-5.0, 3.0, 1e9]), np.array([1.0, -1e6, 3.0])
    assert set(plots_of(REGRESSION, label, predicted, {"a": -2.0}, {})) == PLOTS[REGRESSION]


def test_a_million_examples_make_light_pictures_soon() -> None:
    generator = np.random.default_rng(0)
    predicted = generator.beta(1, 4, 1_000_000)
    label = (generator.random(1_000_000) < predicted).astype(float)
    for task in (BINARY, REGRESSION):
        plots = plots_of(task, label, predicted, None, {})
        assert max(len(image) for image in plots.values()) < 40_000
