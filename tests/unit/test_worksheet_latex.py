"""Worksheets in LaTeX: whole, in proper notation, and inside the margins."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from rnnstep.scenario.bundled import names
from rnnstep.worksheet.latex import in_mathematics, is_plain, texted
from tests.unit.command_line import run, written
from tests.unit.test_worksheet import BOTH_WAYS, NESTED

CHINESE = """
title = "两层 & 100% _"
vocabulary = ["你", "#"]
[input]
text = "你#"
[recurrent]
module = "RNN"
hidden_size = 2
[weights]
seed = 1
"""
TOO_LARGE = {"names", "vanishing_lstm"}
POINTS = 3.0  # that a line may stand out


def document(capsys, name, *options):
    status, text, err = run(capsys, "worksheet", name, "--format", "tex", *options)
    assert status == 0, err
    return text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", [*sorted({*names()} - TOO_LARGE), NESTED, BOTH_WAYS, CHINESE])
def test_latex_is_balanced(name, language, capsys, tmp_path):
    name = written(tmp_path, name) if "\n" in name else name
    for options in ((), ("--key", "--steps", "1-2")):
        text = document(capsys, name, "--language", language, *options)
        first, _, body = text.partition(r"\begin{document}")
        assert first.startswith("%")
        assert "xelatex" in first.splitlines()[1 if language == "zh" else 0]
        opened = re.findall(r"\\begin\{(\w+\*?)\}", body)
        closed = re.findall(r"\\end\{(\w+\*?)\}", body)
        assert sorted([*opened, "document"]) == sorted(closed)
        plain = body.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        assert plain.replace(r"\$", "").count("$") % 2 == 0
        assert not re.search(r"[−·←→⊙]", text)
        assert not re.search(r"_\{[^{}]*\}_\{", text)  # a double subscript
        if language == "en" and name in names():
            assert text.isascii()


def test_names_have_their_time_and_parameters_none(capsys):
    text = document(capsys, "lstm_by_hand")
    assert r"\mathrm{tanh}_{c,t} = \tanh(c_{t})" in text
    assert r"\mathrm{ih}_{i,t} = W_{ii} x_{t} + b_{ii}" in text
    assert r"c_{t} = f_{t} \odot c_{t-1} + i_{t} \odot g_{t}" in text
    text = document(capsys, "weather")
    assert r"\mathrm{logits}_{{\,}} = \mathrm{weight}_{{\,}} h_{n} + \mathrm{bias}_{{\,}}" in text
    assert r"\mathrm{weight}_t" not in text
    text = document(capsys, "bidirectional")
    assert r"\mathrm{hh}_{t} = W_{hh} h_{t+1} + b_{hh}" in text
    assert r"\mathrm{L0}{\leftarrow}\; h_{5}" in text


def test_long_rows_and_matrices_are_cut(capsys):
    text = document(capsys, "weather", "--decimals", "6")
    assert r"W_{ih}[0\text{--}3,\,0\text{--}5]" in text
    assert r"W_{ih}[0\text{--}3,\,6\text{--}9]" in text
    text = document(capsys, "weather", "--decimals", "2")
    assert r"W_{ih} = \begin{bmatrix}" in text


def test_signs_of_latex_are_text():
    assert texted("50% & $5 #1 {x}_y ~ ^ \\") == (
        r"50\% \& \$5 \#1 \{x\}\_y \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert texted("α → é") == r"$\alpha{}$ $\rightarrow$ é"
    assert is_plain("α → é")
    assert not is_plain("两")
    assert texted("a 两 b", only_plain=True) == "a  b"
    assert in_mathematics("λ_t + 门_t") == r"\lambda{}_t + \text{门}_t"


# ── compiled ─────────────────────────────────────────────────────────────────────────


def compiled(program, text, tmp_path):
    (tmp_path / "sheet.tex").write_text(text, "utf-8")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    log = (tmp_path / "sheet.log").read_text("utf-8", "replace")
    assert done.returncode == 0, log[-2000:]
    out = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide", log)]
    assert max(out, default=0.0) < POINTS
    assert "Missing character" not in log


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("weather", ("--key", "--decimals", "6")),
        ("embedding", ("--decimals", "12")),
        (NESTED, ("--key", "--decimals", "12")),
        (CHINESE, ("--key",)),
    ],
)
def test_sheet_compiles_inside_its_margins(name, options, capsys, tmp_path):
    name = written(tmp_path, name) if "\n" in name else name
    compiled("pdflatex", document(capsys, name, "--language", "en", *options), tmp_path)


def has_chinese():
    if shutil.which("xelatex") is None or shutil.which("kpsewhich") is None:
        return False
    return all(
        subprocess.run(["kpsewhich", file], capture_output=True, check=False).returncode == 0
        for file in ("ctex.sty", "xeCJK.sty", "FandolSong-Regular.otf")
    )


@pytest.mark.skipif(not has_chinese(), reason="needs xelatex and ctex with their fonts")
@pytest.mark.parametrize(("name", "language"), [("bidirectional", "zh"), (CHINESE, "en")])
def test_chinese_sheet_compiles_with_xelatex(name, language, capsys, tmp_path):
    name = written(tmp_path, name) if "\n" in name else name
    compiled("xelatex", document(capsys, name, "--language", language), tmp_path)
