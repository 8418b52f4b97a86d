"""Charts as they are read: of states, gates, one element, a watch, the loss and the gradient, from small to large."""

from __future__ import annotations

import pytest

from rnnstep.engine.watch import Watch
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views import charts, gradients, learning
from rnnstep.views.alphabet import ASCII, UNICODE
from rnnstep.views.look import Look
from rnnstep.views.rows import plain, row_width
from rnnstep.views.scene import Scene

pytestmark = pytest.mark.usefixtures("unhurried")

SIZES = [(30, 5), (46, 10), (76, 18)]


def _scene(name, place, language="en", *, is_ascii=False, watches=()):
    session = Session.open(SessionRun.of(read(bundled.find(name))))
    for text in watches:
        session = session.watch(text)
    look = Look(language=language, torch="none", alphabet=ASCII if is_ascii else UNICODE)
    if place == "end":  # which is no further than is trained in a moment
        session.run.learning.reach(session.tree.num_epochs - 1, 60)
    return Scene(session.end() if place == "end" else session.go(place), look)


def _text(draw, *arguments):
    """Every size in turn, each exactly as large as was asked for."""
    found = []
    for cells, height in SIZES:
        rows = draw(*arguments, cells, height)
        assert [row_width(row) for row in rows] == [cells] * height
        found.append(plain(rows))
    return "\n" + "\n\n".join(found)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("hello_lstm", "4/L0/f[2]", "h"),
        ("hello_lstm", "4/L0/f[2]", "gates"),
        ("gru", "end", "n"),
        ("bidirectional", "2/L0←/hh[1]", "h"),
        ("vanishing", "end", "h"),
    ],
)
def test_a_value_over_time(name, place, value, snapshot):
    scene = _scene(name, place)
    assert value in charts.names(scene)
    assert "\n" + charts.title(scene, value) + _text(charts.chart, scene, value) == snapshot


@pytest.mark.parametrize(
    ("name", "place"),
    [("hello", "3/L0/hh[1]"), ("hello_lstm", "4/L0/a_f[2]"), ("hello", "backward:2/L0/∂W_hh[1,0]")],
)
def test_an_element_over_time(name, place, snapshot):
    scene = _scene(name, place)
    assert "\n" + charts.element_name(scene) + _text(charts.element, scene) == snapshot


def test_a_watch_over_time(snapshot):
    scene = _scene("hello", "4", watches=["norm(h - h_prev)", "h > 0.2"])
    texts = [_text(charts.watch, scene, watch) for watch in scene.session.watches]
    assert "\n".join(texts) == snapshot


def test_the_loss_with_torch_beside_it(snapshot):
    scene = _scene("hello", "e12:")
    losses = [record.loss * (1 + 1e-7) for record in learning.told(scene)]
    scene.run.torch_losses.extend(losses)
    assert _text(learning.curve, scene) == snapshot


def test_the_gradient_in_chinese_and_in_ascii(snapshot):
    chinese = _text(gradients.gradients, _scene("vanishing", "backward:1", "zh"))
    ascii_ = _text(gradients.gradients, _scene("hello_lstm", "backward:1", is_ascii=True))
    assert ascii_.isascii()
    assert chinese + ascii_ == snapshot


def test_every_gate_can_be_charted():
    for name, gates in (("lstm", ["i", "f", "g", "o"]), ("gru", ["r", "z", "n"]), ("mgu", ["f", "n"])):
        scene = _scene(name, "end")
        states = list(scene.scenario.cell.states)
        assert charts.names(scene)[: len(states) + len(gates) + 1] == [*states, "gates", *gates]


def test_the_chart_shows_the_element_at_the_cursor(tmp_path):
    text = """
        [input]
        values = [[[1.0]], [[2.0]]]
        [recurrent]
        module = "RNN"
        hidden_size = 20
        [weights]
        seed = 1
    """
    (tmp_path / "wide.toml").write_text(text, "utf-8")
    session = Session.open(SessionRun.of(read(tmp_path / "wide.toml"))).go("2/L0/hh[17]")
    scene = Scene(session, Look(torch="none"))
    assert charts.element_name(scene) == "hh[17]"
    assert "h[17]" in plain(charts.chart(scene, "h", 76, 12))
    assert "h[11]" not in plain(charts.chart(scene, "h", 76, 12))


@pytest.mark.parametrize("name", ["hello", "lstm", "bidirectional", "packed", "mgu", "multilayer"])
@pytest.mark.parametrize("text", ["norm(h)", "h - h_prev", "t + layer", "max(abs(h)) > 0.3", "h[0] * t"])
def test_a_watch_over_all_steps_is_its_value_at_each(name, text):
    run = SessionRun.of(read(bundled.find(name)))
    done = run.trace.passes[0]
    watch = Watch.parse(text, [one.block for one in done.runs.values()])
    for key, block_run in done.runs.items():
        values = {
            one: block_run.over_time(one, 0)
            for one in watch.names_read
            if one in block_run.block.program.shapes
        }
        found = watch.over_steps(block_run.block, values, block_run.num_steps)
        for t in range(done.batch.first.axis.last_step(0) + 1):
            whole = watch.value(block_run.block, done.values(key, t), t)
            assert whole is not None
            index = done.row_index(key, t, 0)
            row = whole[index] if whole.ndim > 1 else whole
            assert found[t].tolist() == row.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("place", "title"),
    [
        ("2/L0/h", "h[0–5] of 20 over time"),
        ("2/L0/h[7]", "h[6–11] of 20 over time"),
        ("2/L0/h[19]", "h[18–19] of 20 over time"),
    ],
)
def test_a_plot_of_some_elements_says_of_how_many(place, title):
    text = "[input]\nrandom = {shape = [3, 2], seed = 1}\n[recurrent]\nmodule = 'RNN'\nhidden_size = 20\n[weights]\nseed = 1\n"
    session = Session.open(SessionRun.of(read_text(text))).go(place)
    assert charts.title(Scene(session, Look(torch="none")), "h") == title
