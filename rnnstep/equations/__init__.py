"""The language that cells are written in, and its readers.

`syntax` reads text into trees; `operations` is the table that gives each operation its
meaning (with `bounds` and `intervals`); `program` checks a cell's lines and their shapes;
`evaluate` reads a tree as values, intervals or error bounds; `compile` makes one fast function
of a whole program (`plan` orders its work, `generate` writes it); `expand` shows one element
with its numbers put in (as the `pieces` of a small tree); `write` gives text and LaTeX.
"""
