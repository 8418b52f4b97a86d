"""A worksheet as Markdown, LaTeX, or an answers file to fill in; blank, or with the key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rnnstep.scenario.file.change_toml import string_text
from rnnstep.worksheet.latex import latex
from rnnstep.worksheet.markdown import markdown
from rnnstep.worksheet.page import SheetOrigin, SheetPage
from rnnstep.worksheet.worksheet import Worksheet

__all__ = ["SheetOrigin", "written"]


def answers(page: SheetPage) -> Iterator[str]:
    """Give an answers file: `?` for what is to be filled in, or the key's numbers."""
    head = [page.title, *(() if page.with_key else page.for_the_writer), page.origin_line, *page.instructions]
    yield from (f"# {line}\n" for line in head)
    yield f"\ndecimals = {page.sheet.decimals}\n"
    for one in page.sheet.asked:
        numbers = map(page.number, page.sheet.value(one).tolist()) if page.with_key else "?" * one.size
        yield f"\n[[answer]]\nstep = {one.t + 1}\n"
        if one.block is not None:
            yield f"block = {string_text(one.block)}\n"
        if one.layer and page.by_key[one.key].kind != "map":
            yield f"layer = {one.layer}\n"
        if one.direction == "backward":
            yield 'direction = "backward"\n'
        if page.sheet.row:
            yield f"batch = {page.sheet.row}\n"
        yield f"name = {string_text(one.name)}\nvalue = {string_text(' '.join(numbers))}\n"


_FORMS: Mapping[str, Callable[[SheetPage], Iterator[str]]] = {"md": markdown, "tex": latex, "toml": answers}


def written(sheet: Worksheet, form: str, origin: SheetOrigin, language: str, *, with_key: bool) -> str:
    """Give a sheet as a text.

    Args:
        sheet: what is asked for.
        form: "md", "tex" or "toml".
        origin: what it says of where it comes from.
        language: "en" or "zh".
        with_key: whether it is solved.
    """
    return "".join(_FORMS[form](SheetPage(sheet, origin, language, with_key=with_key)))
