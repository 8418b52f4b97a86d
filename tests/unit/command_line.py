"""The command line as a test calls it: what it says, and a scenario of a cell of one's own written for it."""

from __future__ import annotations

from rnnstep.cli import main

OWN = """
[input]
values = [[[0.5], [1.0]]]
[recurrent]
module = "mgu"
hidden_size = 2
[weights]
seed = 1
[target]
values = [[[0.1, 0.2], [0.3, 0.4]]]
[cell.mgu]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size"}
equations = "h = tanh(W @ x + U @ h_prev)"
"""
NAN_IN_DATA = """
[input]
values = [[1.0], [nan], [0.5]]
[recurrent]
module = "LSTM"
hidden_size = 2
[weights]
seed = 0
"""


def run(capsys, *arguments):
    """Give the exit status, the output and the messages."""
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def asked_once(monkeypatch, room, name):
    """Let a function of a module give what it gave first: a command that writes several formats computes once."""
    ask, given = getattr(room, name), []

    def once(*arguments, **options):
        if not given:
            given.append(ask(*arguments, **options))
        return given[0]

    monkeypatch.setattr(room, name, once)


def written(tmp_path, text, name="s.toml"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return str(path)
