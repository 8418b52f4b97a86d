"""NaN and infinity are findings: where the first is, what is said of it, and how it is marked."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.reference import check
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.cursor import follow
from rnnstep.session.findings import go_to_finding, in_words, place_of
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views import learning
from rnnstep.views.alphabet import ASCII, UNICODE
from rnnstep.views.header import header
from rnnstep.views.look import Look
from rnnstep.views.rows import plain, row_width
from rnnstep.views.scene import Scene
from rnnstep.views.screen import screen
from tests.unit.command_line import NAN_IN_DATA

EXPLODING = """
[input]
values = [[1.0], [1.0], [1.0], [1.0], [1.0]]
[recurrent]
module = "RNN"
hidden_size = 2
nonlinearity = "relu"
bias = false
[weights]
weight_ih_l0 = [[1.0], [2.0]]
weight_hh_l0 = [[1e15, 0.0], [0.0, 1e15]]
"""
BOTH_DIRECTIONS = """
[input]
values = [[[1.0], [1.0], [1.0]], [[1.0], [-inf], [0.0]], [[1.0], [1.0], [1.0]]]
[recurrent]
module = "RNN"
hidden_size = 2
bidirectional = true
[weights]
seed = 1
weight_ih_l0 = [[0.0], [0.0]]
weight_ih_l0_reverse = [[0.5], [0.25]]
"""
ZERO_TIMES = """
[input]
values = [[1.0], [2.0]]
[recurrent]
module = "odd"
hidden_size = 1
[weights]
W = [[0.0]]
[cell.odd]
state = ["h"]
parameters = {W = "hidden_size, input_size"}
equations = \"\"\"
a = W @ x
b = log(a)
h = tanh(b) * x[0]
\"\"\"
"""
LARGE_STEPS = """
[input]
values = [[1.0], [0.5], [0.2]]
[recurrent]
module = "RNN"
hidden_size = 2
nonlinearity = "relu"
[weights]
seed = 3
[target]
values = [[1.0, 0.0], [0.5, 1.0], [0.2, 1.0]]
[loss]
name = "MSELoss"
[training]
optimizer = "SGD"
lr = 1e6
epochs = 20
"""
NOTHING_COUNTS = """
[input]
values = [[1.0], [0.5]]
[recurrent]
module = "RNNCell"
hidden_size = 2
[weights]
seed = 3
[target]
indices = [1, -100]
[loss]
name = "CrossEntropyLoss"
"""


def opened(tmp_path, text):
    (tmp_path / "case.toml").write_text(text, "utf-8")
    return Session.open(SessionRun.of(read(tmp_path / "case.toml")))


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            NAN_IN_DATA,
            "2/L0/ih_i[0]",
            "2/L0/ih_i[0] is the first NaN: x[0] = NaN is given so",
        ),
        (
            EXPLODING,
            "4/L0/hh[0]",
            "4/L0/hh[0] is the first ∞, made of finite W_hh[0,0] = 1e15, h_prev[0] = ",
        ),
        (
            BOTH_DIRECTIONS,
            "2/L0/ih[0]@row1",
            "2/L0/ih[0]@row1 is the first NaN: x[0] = −∞ is given so",
        ),
        (
            ZERO_TIMES,
            "1/L0/b[0]",
            "1/L0/b[0] is the first −∞, made of finite a[0] = 0",
        ),
        (
            NOTHING_COUNTS,
            "2/total/loss",
            "2/total/loss[0] is NaN: at a step nothing counts, and the mean of nothing has no value; over_time",
        ),
    ],
)
def test_the_key_goes_to_the_first_cause_and_says_what_it_is_made_of(tmp_path, text, place, said):
    session = go_to_finding(opened(tmp_path, text))
    assert session.place_and_row.startswith(place)
    assert session.level == "element"
    assert session.note.into("en").startswith(said)
    assert go_to_finding(session).place == session.place
    assert session.back().position.is_start


def test_where_all_is_finite_it_says_so_and_stays(tmp_path):
    session = go_to_finding(opened(tmp_path, EXPLODING.replace("1e15", "1e3")))
    assert session.position.is_start
    assert session.note.into("en") == "every number of this run is finite"


def test_a_training_that_diverges_leads_to_the_first_epoch_with_such_a_number(tmp_path):
    session = opened(tmp_path, LARGE_STEPS)
    found = go_to_finding(session)
    finding = found.run.learning.finding
    assert finding.epoch > 0
    assert found.place == place_of(found.tree, finding)
    assert found.place.startswith(f"e{finding.epoch + 1}:")
    assert " is the first " in in_words(found.run, finding).into("en")
    losses = [record.loss for record in found.run.learning.records]
    assert np.isfinite(losses[: finding.epoch]).all()


def test_from_a_later_number_the_way_back_leads_to_the_first(tmp_path):
    session = opened(tmp_path, NAN_IN_DATA).go("3/L0/h[1]")
    places = []
    for _ in range(40):
        session = follow(session)
        if "given" in (session.note.into("en") if session.note else ""):
            break
        places.append(session.place)
    assert session.note.into("en") == "x[0] = NaN is given so, not computed: there is nothing to follow"
    assert session.place.startswith("2/L0/ih_")
    assert places[0].startswith("3/")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("cells", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_the_header_says_since_when_in_the_place_of_the_check(tmp_path, cells, signs, language):
    session = opened(tmp_path, EXPLODING).go("5/L0/a[1]")
    session.run.learning.look_on(5)
    row = header(Scene(session, Look(language=language, alphabet=signs, torch="ready")), cells)
    text = plain([row])
    assert row_width(row) == cells
    assert ("inf" if signs is ASCII else "∞") in text
    assert "✓" not in text
    if cells >= 80 and language == "en":
        place = "| L0 hh[0]" if signs is ASCII else "· L0 hh[0]"
        value = "inf" if signs is ASCII else "∞"
        assert f"{value} from step 4 {place}" in text
    if cells >= 80 and language == "zh":
        assert "第 4 步起为" in text


def test_the_timeline_and_the_plot_mark_the_step(tmp_path):
    session = opened(tmp_path, NAN_IN_DATA).end()
    session.run.learning.look_on(5)
    text = plain(screen(session, Look(torch="none"), 120, 40))
    assert "2!" in text
    assert "■!" in text
    assert "× NaN 2–3" in text
    assert "NaN from step 2 · L0 ih_i[0]" in text
    assert "first NaN" in text.split("\n")[-1]


def test_a_finite_run_has_no_mark(tmp_path):
    session = opened(tmp_path, NAN_IN_DATA.replace("nan", "0.3")).end()
    assert session.run.learning.look_on(5)
    text = plain(screen(session, Look(torch="none"), 120, 40))
    assert "NaN" not in text
    assert "!" not in text


@pytest.mark.parametrize("text", [NAN_IN_DATA, EXPLODING, LARGE_STEPS])
@pytest.mark.parametrize("size", [(60, 17), (80, 24), (120, 35), (200, 60), (300, 80)])
def test_every_size_draws_a_run_that_is_not_finite(tmp_path, text, size):
    session = go_to_finding(opened(tmp_path, text))
    for language in ("en", "zh"):
        for place in (session, session.out(), session.out().out(), session.end()):
            rows = screen(place, Look(language=language, torch="none"), *size)
            assert [row_width(row) for row in rows] == [size[0]] * size[1]


def test_epochs_that_are_not_finite_are_marked_in_the_table_and_on_the_curve(tmp_path):
    decaying = f"{LARGE_STEPS}weight_decay = 0.1\n"  # infinite weights less infinite ones: NaN to the end
    session = opened(tmp_path, decaying)
    assert session.run.learning.look_on(30)
    while len(session.run.learning.records) < 20:
        session.run.learning.advance()
    first = session.run.learning.finding.epoch + 1
    scene = Scene(session.go("e2:"), Look(torch="none"))
    rows = learning.table(scene, 60, 20)
    (marked,) = [row for row in rows if row[1].text == "!"]
    assert plain([marked]).split()[1] == str(first)
    strange = [plain([row]) for row in rows if any(span.style == "bad" and "N" in span.text for span in row)]
    assert strange
    assert all("NaN" in text for text in strange)
    assert f"× NaN {first + 1}–20" in plain(learning.curve(scene, 76, 12))
    assert "▲ +∞" in plain(learning.curve(scene, 76, 12))


def test_torch_agreeing_is_no_green_light(tmp_path):
    (tmp_path / "case.toml").write_text(NAN_IN_DATA, "utf-8")
    run = SessionRun.of(read(tmp_path / "case.toml"))
    run = run.with_checked(check(run.trace))
    assert run.checked.agrees
    session = Session.open(run).go("2/L0/a_f[1]")
    run.learning.look_on(5)
    text = plain(screen(session, Look(torch="ready"), 120, 40))
    assert "NaN from step 2" in text.split("\n")[0]
    assert "self-check both NaN" in text
    assert "! NaN" in text
    healthy = plain(screen(session.go("1/L0/a_f[1]"), Look(torch="ready"), 120, 40))
    assert "self-check ✓" in healthy


@pytest.mark.parametrize(
    "name", ["hello", "hello_lstm", "hello_gru", "vanishing_lstm", "mgu", "bidirectional", "packed"]
)
@pytest.mark.parametrize("value", [np.inf, np.nan, 3e38])
def test_every_view_draws_what_is_not_finite(name, value):
    """Weights that are not finite, or nearly so: every level of every pass, without a warning of numpy's."""
    scenario = read(bundled.find(name))
    parameters = {key: array.copy() for key, array in scenario.parameters.items()}
    first = next(iter(parameters))
    parameters[first].reshape(-1)[:2] = value
    session = Session.open(SessionRun.of(scenario.with_parameters(parameters)))
    session.run.learning.look_on(20)
    places = [session, go_to_finding(session), session.end()]
    for phase in session.tree.phases:
        whole = session.go(f"{phase}:")
        inside = whole
        while (deeper := inside.into()).place != inside.place:
            inside = deeper
            places.append(inside)
        places += [whole, inside.right(), inside.right().out().right()]
    for place in places:
        for fills in ("", "plot", "listing"):
            rows = screen(place, Look(torch="none", fills=fills), 120, 35)
            assert [row_width(row) for row in rows] == [120] * 35
        screen(place, Look(torch="none", language="zh", decimals=1), 200, 60)
        follow(place)


def test_where_relu_lets_nothing_through_nan_becomes_0_and_it_is_said(tmp_path):
    text = (
        "[input]\nvalues = [[2.0], [1.0]]\n[recurrent]\nmodule = 'RNN'\nhidden_size = 2\nnonlinearity = 'relu'\n"
        "[weights]\nweight_ih_l0 = [[0.0], [0.0]]\nweight_hh_l0 = [[0.0, 0.0], [0.0, 0.0]]\nbias_ih_l0 = [-1.0, 1.0]\n"
        "bias_hh_l0 = [0.0, 0.0]\n[target]\nvalues = [[0.0, 0.0], [nan, nan]]\n[loss]\nname = 'MSELoss'\n"
    )
    session = opened(tmp_path, text).go("backward:2/L0/∂a[0]")
    shown = plain(screen(session, Look(torch="none"), 80, 24))
    assert "∂a[0] = NaN·(−1 > 0) ≈ 0.0000" in shown
    assert "what is not finite does not get through here" in shown
