"""The rules of the house: imports run one way, heavy packages come late, and a file is read at one sitting."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import rnnstep

PACKAGE = Path(rnnstep.__file__).parent
HEAVY = {"numpy", "torch", "textual"}

# Each room may import those before it. `reference` stands before `checking` and `reports`, which
# mark and write what both programs gave; `reports` writes the marks, too. `capturing` stands behind the
# screen, which it opens when it is asked to, and knows nothing else of it.
ROOMS = (
    ("language",),
    ("errors",),
    ("folders",),
    ("equations",),
    ("cells",),
    ("network",),
    ("modules",),
    ("scenario",),
    ("settings",),
    ("engine",),
    ("reference",),
    ("checking",),
    ("worksheet",),
    ("reports",),
    ("program",),
    ("session",),
    ("views",),
    ("tui",),
    ("capturing",),
    ("api",),
    ("cli",),
    ("__init__", "__main__"),
)
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}

MOST_LINES = 600
MOST_LINES_OF_A_FUNCTION = 60
WITHOUT_DOCSTRINGS = {  # of functions: a rule each, named by its row; the module says what all of them give
    "equations/banks.py",
    "equations/bounds.py",
    "equations/inner_rules.py",
    "equations/intervals.py",
    "equations/operations.py",
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Import(NamedTuple):
    """One module that a file imports, and when."""

    file: str
    line: int
    module: str
    is_for_types: bool  # under TYPE_CHECKING
    is_late: bool  # inside a function

    @property
    def room(self) -> str:
        return room_of(Path(self.file))

    @property
    def target(self) -> str:
        """The room, or the package if it is not ours."""
        head, *below = self.module.split(".")
        if head != "rnnstep":
            return head
        return below[0] if below and below[0] in RANK else "__init__"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def room_of(file: Path) -> str:
    return file.with_suffix("").parts[0]


@cache
def sources() -> dict[str, ast.Module]:
    """Every file of the package, under its path from the package on."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def nodes_in(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a file, for the many tests that look at them."""
    return tuple(ast.walk(tree))


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for file, tree in sources().items() for found in imports_in(file, tree.body))


def imports_in(
    file: str, nodes: list[ast.AST], *, is_for_types: bool = False, is_late: bool = False
) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, is_for_types, is_late)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: an import is written from `rnnstep` on"
            for alias in node.names:
                yield Import(file, node.lineno, f"{node.module}.{alias.name}", is_for_types, is_late)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imports_in(file, node.body, is_for_types=True, is_late=is_late)
            yield from imports_in(file, node.orelse, is_for_types=is_for_types, is_late=is_late)
        else:
            late = is_late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            below = list(ast.iter_child_nodes(node))
            yield from imports_in(file, below, is_for_types=is_for_types, is_late=late)


def told(found: Iterator[Import]) -> list[str]:
    return [str(one) for one in found]


def definitions(tree: ast.Module) -> Iterator[Definition]:
    return (node for node in nodes_in(tree) if isinstance(node, Definition))


# ── imports, as they are written ─────────────────────────────────────────────────────────────


def test_every_file_lives_in_a_room_of_the_house() -> None:
    assert {room_of(Path(file)) for file in sources()} <= RANK.keys()


def test_imports_run_one_way() -> None:
    assert not told(
        one
        for one in imports()
        if one.target in RANK and one.target != one.room and RANK[one.target] >= RANK[one.room]
        if one.module != "rnnstep.__version__"  # everybody's
    )


def test_session_and_views_know_the_reference_by_its_types_alone() -> None:
    assert not told(
        one
        for one in imports()
        if one.room in {"session", "views"} and one.target == "reference" and not one.is_for_types
    )


def test_the_screen_computes_no_numbers() -> None:
    forbidden = {"numpy", "engine", "equations", "cells"}
    assert not told(one for one in imports() if one.room == "tui" and one.target in forbidden)


def test_cells_do_not_know_each_other() -> None:
    shared = {"cells/__init__.py", "cells/cell.py"}
    assert not told(
        one
        for one in imports()
        if one.room == "cells" and one.file not in shared and one.target == "cells"
        if not one.module.startswith("rnnstep.cells.cell.")
    )


KNOWS_TORCH = {"reference", "capturing"}  # torch beside us; and the live modules that are listened to


def test_torch_is_imported_by_two_rooms_alone_and_inside_functions() -> None:
    assert not told(
        one
        for one in imports()
        if one.target == "torch" and (one.room not in KNOWS_TORCH or not (one.is_late or one.is_for_types))
    )


def test_what_captures_knows_the_screen_by_what_opens_it_alone() -> None:
    """Recording runs inside a program of the user's: the screen is imported when it is opened."""
    found = [one for one in imports() if one.room == "capturing" and one.target == "tui"]
    assert {one.module.rpartition(".")[0] for one in found} == {"rnnstep.tui.here"}
    assert all(one.is_late for one in found)


def test_what_captures_is_imported_without_torch_and_textual() -> None:
    assert loaded_by(everything_in("capturing")) == {"numpy"}


def test_textual_is_imported_by_the_screen_alone() -> None:
    assert not told(one for one in imports() if one.target == "textual" and one.room != "tui")


def test_toml_is_read_in_one_place() -> None:
    assert {one.file for one in imports() if one.target in {"tomllib", "tomli"}} == {
        "scenario/file/parse_toml.py"
    }


def test_a_scenario_is_not_its_text() -> None:
    """What stands in its file is asked for by those alone that write a copy of it with other numbers."""
    readers = {
        file
        for file, tree in sources().items()
        for node in nodes_in(tree)
        if isinstance(node, ast.Attribute) and node.attr == "file_text"
    }
    assert readers == {"scenario/file/save.py", "scenario/overrides.py"}


def circles(edges: dict[str, set[str]]) -> set[str]:
    """The modules that can be reached from themselves along imports."""
    reached = {module: set(below) for module, below in edges.items()}
    for through in edges:
        for found in reached.values():
            if through in found:
                found.update(reached[through])
    return {module for module, found in reached.items() if module in found}


def edges_between_modules() -> dict[str, set[str]]:
    """Which modules each one imports, for types and in functions, too."""
    modules = {
        ".".join(("rnnstep", *Path(file).with_suffix("").parts)).removesuffix(".__init__"): file
        for file in sources()
    }
    by_file: dict[str, set[str]] = {file: set() for file in modules.values()}
    for one in imports():
        for name in (one.module, one.module.rpartition(".")[0]):
            if name in modules and modules[name] != one.file:
                by_file[one.file].add(modules[name])
                break
    return by_file


def test_no_imports_run_in_a_circle() -> None:
    """Not for types either."""
    assert not circles(edges_between_modules())


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}


# ── imports, as they happen in a fresh process ───────────────────────────────────────────────


def loaded_by(program: str) -> set[str]:
    """The heavy packages that a program in a process of its own has loaded at its end."""
    report = f"import sys; print(*sys.modules.keys() & {HEAVY!r}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{program}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def everything_in(*rooms: str) -> str:
    """A program that imports every module of some rooms."""
    modules = [
        ".".join(("rnnstep", *Path(file).with_suffix("").parts)).removesuffix(".__init__")
        for file in sources()
        if room_of(Path(file)) in rooms
    ]
    assert modules
    return "\n".join(f"import {module}" for module in modules)


def command_line(*arguments: str) -> str:
    return f"from rnnstep.cli import main\nassert main({list(arguments)!r}) == 0"


@pytest.mark.parametrize(
    "program",
    [
        "import rnnstep",
        "import rnnstep.cli",
        "import rnnstep.views.rows",
        "import rnnstep.reference",
        command_line("--help"),
        command_line("--version"),
        command_line("list"),
        command_line("trace", "--help"),
    ],
)
def test_what_is_to_start_at_once_loads_no_heavy_package(program: str) -> None:
    assert loaded_by(program) == set()


def test_the_screen_starts_without_numpy_and_torch() -> None:
    assert loaded_by("import rnnstep.tui.app") == {"textual"}


def test_everything_below_the_screen_is_reached_without_textual_and_torch() -> None:
    rooms = (
        "equations",
        "cells",
        "scenario",
        "engine",
        "worksheet",
        "reports",
        "program",
        "session",
        "views",
    )
    assert loaded_by(everything_in(*rooms)) == {"numpy"}


def test_the_reference_itself_is_imported_without_torch() -> None:
    assert loaded_by(everything_in("reference")) == {"numpy"}


def test_a_run_of_the_engine_alone_needs_no_torch() -> None:
    program = "import rnnstep\nassert rnnstep.load('hello').run().output.shape == (5, 1, 4)"
    assert loaded_by(program) == {"numpy"}


# ── kinds of module ──────────────────────────────────────────────────────────────────────────

KINDS = {"embedding", "linear", "dropout"}
ABOUT_MODULES = {"modules", "cells", "language"}
MOST_FILES_WITH_KINDS = (
    7  # the short form and its keys; the name of a scenario; signs known without numpy; torch's own calls
)


def names_a_kind(tree: ast.Module) -> bool:
    """Whether a kind of module stands in a file as a literal, or is asked of the model as an attribute."""
    return any(
        (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in KINDS)
        or (isinstance(node, ast.Attribute) and node.attr in KINDS)
        for node in nodes_in(tree)
    )


def test_few_files_name_a_kind_of_module() -> None:
    """What a module is, its own file says: all others ask it."""
    found = {
        file
        for file, tree in sources().items()
        if names_a_kind(tree) and room_of(Path(file)) not in ABOUT_MODULES
    }
    assert len(found) <= MOST_FILES_WITH_KINDS, sorted(found)


@pytest.mark.parametrize("code", ["scenario.linear.bias", 'block.kind == "embedding"', 'f"{a}" + "Dropout"'])
def test_a_kind_of_module_is_found(code: str) -> None:
    assert names_a_kind(ast.parse(code))
    assert not names_a_kind(ast.parse("linear = Text('embedding it')"))


# ── what follows from the wires ──────────────────────────────────────────────────────────────


KEYS_ARE_SPELT = {
    "checking/answers/targets.py",  # a layer and direction that an answer says
    "checking/marking.py",  # labels
    "checking/mistakes/entries.py",  # a value of the same name in another layer
    "views/scene.py",
    "worksheet/page.py",
}


def test_no_file_asks_whether_a_network_is_final() -> None:
    """How often a block computes its `Extent` says; of which step a value is read its wire; the description has `reads_final_state`."""
    asked = re.compile(r"\bis_final\b")
    assert [file for file in sources() if asked.search((PACKAGE / file).read_text("utf-8"))] == []


def test_the_judge_finds_blocks_by_their_wires() -> None:
    """A key such as `f"L{layer}"` is no wire: only words for people, and places as they write them, are put together so."""
    spelt = re.compile(r"f[\"'](?:L|join|dropout)\{")
    found = {file for file in sources() if spelt.search((PACKAGE / file).read_text("utf-8"))}
    assert found == KEYS_ARE_SPELT


# ── time ─────────────────────────────────────────────────────────────────────────────────────

TELLS_TIME = {"axis", "alive", "first_state", "last_step", "final_step", "first_step", "live_rows"}


def test_the_run_of_torch_tells_time_and_wires_by_itself() -> None:
    """Of ours it reads the description: what the network says wrongly must not be wrong in both runs."""
    here = "reference/run/"
    read = {
        f"{file}: {node.attr}"
        for file, tree in sources().items()
        if file.startswith(here)
        for node in nodes_in(tree)
        if isinstance(node, ast.Attribute) and node.attr in TELLS_TIME
    }
    assert read == set()
    told_by_us = ("network.time", "network.graph", "network.wires")
    assert (
        told(one for one in imports() if one.file.startswith(here) and any(map(one.module.count, told_by_us)))
        == []
    )


KNOWS_LENGTHS = {
    "network/time.py",  # which all others ask
    "engine/recurrence.py",  # where segments of packed rows are cut
    "views/info.py",  # the lengths themselves, in words
    "checking/marked_sheet.py",  # one row as a batch of its own
    "checking/mistakes/wires.py",  # whether there is padding that may have been walked over
}
TELLS_OF_BATCHES = {
    "scenario",
    "program",
    "capturing",
}  # what a file says, a program is given, and one was given


def test_few_files_know_how_long_rows_are() -> None:
    """Who takes part in a step, and where a row begins and ends, the axis of time says."""
    found = {
        file
        for file, tree in sources().items()
        for node in nodes_in(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("lengths", "packed_lengths")
        if room_of(Path(file)) not in TELLS_OF_BATCHES and not file.startswith("reference/run/")
    }
    assert found == KNOWS_LENGTHS


KNOWS_WHERE_STATES_STAND = {
    "modules/recurrent.py",  # its `position`, which all others ask
    "scenario/run_size.py",  # how many parameters there are
    "reference/run/layout.py",  # of torch's run, a second time on purpose
}


def test_where_a_state_stands_in_h_n_the_module_says() -> None:
    """Layer by layer, forward before backward: who multiplies by the directions knows this order."""
    found = {
        file
        for file, tree in sources().items()
        for node in nodes_in(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
        for side in (node.left, node.right)
        if isinstance(side, ast.Attribute) and side.attr == "num_directions"
    }
    assert found == KNOWS_WHERE_STATES_STAND


# ── files and functions ──────────────────────────────────────────────────────────────────────


def test_a_file_is_read_at_one_sitting() -> None:
    counts = {file: len((PACKAGE / file).read_text("utf-8").splitlines()) for file in sources()}
    assert not {file: count for file, count in counts.items() if count > MOST_LINES}


def test_a_function_is_seen_at_once() -> None:
    counts = {
        f"{file}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for file, tree in sources().items()
        for node in definitions(tree)
        if not isinstance(node, ast.ClassDef)
    }
    assert not {place: count for place, count in counts.items() if count > MOST_LINES_OF_A_FUNCTION}


def undocumented(file: str, node: ast.Module | ast.ClassDef) -> Iterator[str]:
    """The public classes, functions and methods that say nothing; what is inside a function is its own."""
    for inner in node.body:
        if not isinstance(inner, Definition) or inner.name.startswith("_"):
            continue
        is_row = file in WITHOUT_DOCSTRINGS and not isinstance(inner, ast.ClassDef)
        if ast.get_docstring(inner) is None and not is_row:
            yield f"{file}:{inner.lineno} {inner.name}"
        if isinstance(inner, ast.ClassDef):
            yield from undocumented(file, inner)


def test_every_module_says_what_it_is() -> None:
    assert not [file for file, tree in sources().items() if ast.get_docstring(tree) is None]


def test_everything_public_says_what_it_gives() -> None:
    assert not [place for file, tree in sources().items() for place in undocumented(file, tree)]


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_to_do_in_a_comment(word: str) -> None:
    assert not [file for file in sources() if word in (PACKAGE / file).read_text("utf-8")]


# ── classes ──────────────────────────────────────────────────────────────────────────────────


def subclasses(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """The classes that are made of each class of the house, under its name; those of a library are none of ours."""
    made_of: dict[str, set[str]] = {}
    for file, tree in trees.items():
        for node in nodes_in(tree):
            for base in node.bases if isinstance(node, ast.ClassDef) else ():
                name = base.value if isinstance(base, ast.Subscript) else base
                if isinstance(name, ast.Name):
                    made_of.setdefault(name.id, set()).add(f"{file} {node.name}")
    named = {
        node.name for tree in trees.values() for node in nodes_in(tree) if isinstance(node, ast.ClassDef)
    }
    return {name: found for name, found in made_of.items() if name in named}


def test_no_base_class_has_one_subclass() -> None:
    # `Ties` is a field that every module has behind its own: of dataclasses only a base can say it.
    found = {name: each for name, each in subclasses(sources()).items() if len(each) == 1}
    assert set(found) == {"Ties"}


def test_a_base_class_with_one_subclass_is_found() -> None:
    trees = {
        "a.py": ast.parse("class Walk(Generic[T]): ...\nclass Option(click.Option): ..."),
        "b.py": ast.parse("class Session(Walk[int]): ..."),
    }
    assert subclasses(trees) == {"Walk": {"b.py Session"}}


# ── names ────────────────────────────────────────────────────────────────────────────────────


def named_at_the_top(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """The public names of classes and types that a file defines, and whether it is a class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, True
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, False


def rooms_by_name(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """In which rooms each class is defined, and a type of the same name."""
    found: dict[str, set[str]] = {}
    classes = set()
    for file, tree in trees.items():
        for name, is_class in named_at_the_top(tree):
            if not name.startswith("_"):
                found.setdefault(name, set()).add(room_of(Path(file)))
                classes |= {name} if is_class else set()
    return {name: rooms for name, rooms in found.items() if name in classes}


def test_a_name_is_one_thing() -> None:
    assert not {name: rooms for name, rooms in rooms_by_name(sources()).items() if len(rooms) > 1}


def test_a_name_that_is_two_things_is_found() -> None:
    trees = {"views/a.py": ast.parse("class Page: ..."), "tui/b.py": ast.parse("Page = tuple[str, int]")}
    assert rooms_by_name(trees) == {"Page": {"views", "tui"}}
    trees = {"views/a.py": ast.parse("class Page: ..."), "views/b.py": ast.parse("class Page: ...")}
    assert rooms_by_name(trees) == {"Page": {"views"}}
