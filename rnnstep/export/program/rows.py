"""Many labelled rows: read from their file as the scenario reads them, and gathered into batches."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.export.program.literals import quoted, words
from rnnstep.export.program.source import Source
from rnnstep.language import Text


def rows_lines(source: Source) -> Iterator[str]:
    """Give the lines that read the file of [data], and make `batches` and `test_batches` of it."""
    data = source.table("data")
    yield f'with open({source.file(data["file"])}, encoding="utf-8-sig", newline="") as file:'
    yield "    header, *lines = ([cell.strip() for cell in line] for line in csv.reader(file))"
    columns = (f"header.index({quoted(data.get(key, key))})" for key in ("text", "label"))
    yield f"text_at, label_at = {', '.join(columns)}"
    yield "rows = [(line[text_at], line[label_at]) for line in lines if any(line)]"
    yield "classes = sorted({label for _, label in rows})"
    if not source.scenario.is_ascii:
        yield f"vocabulary = {words(source.scenario.vocabulary or ())}"
    yield ""
    yield ""
    yield from _gathering(source, data.get("batch_size", 1))
    yield ""
    yield ""
    yield from _parts(source)


def _gathering(source: Source, size: int) -> Iterator[str]:
    first = "batch_first=True" if source.scenario.recurrent.batch_first else ""
    padded = f"nn.utils.rnn.pad_sequence({', '.join(['texts', *([first] if first else [])])})"
    yield "def batches_of(part):"
    yield "    batches = []"
    yield f"    for start in range(0, len(part), {size}):"
    yield f"        chosen = [rows[index] for index in part[start : start + {size}]]"
    yield f"        texts = [torch.tensor({_spelt(source)}) for text, _ in chosen]"
    yield f"        x = {padded}  {source.comment(Text('filled up with 0'))}"
    if source.is_packed:
        yield "        lengths = torch.tensor([len(text) for text in texts])"
    yield "        target = torch.tensor([classes.index(label) for _, label in chosen])"
    yield f"        batches.append(({source.loop_names}))"
    yield "    return batches"


def _spelt(source: Source) -> str:
    if source.scenario.is_ascii:
        return "[ord(letter) for letter in text]"
    vocabulary = source.scenario.vocabulary or ()
    if all(len(entry) == 1 for entry in vocabulary):
        return "[vocabulary.index(letter) for letter in text]"
    longest = "sorted(vocabulary, key=len, reverse=True)"
    found = f're.findall("|".join(map(re.escape, {longest})), text)'
    return f"[vocabulary.index(word) for word in {found}]"


def _parts(source: Source) -> Iterator[str]:
    """Share out the rows: those kept apart, and those to train on."""
    data = source.table("data")
    share, seed = data.get("test", 0), data.get("seed", 0)
    if not share and not data.get("shuffle"):
        yield "batches = batches_of(range(len(rows)))"
        return
    yield f"order = np.random.default_rng({seed}).permutation(len(rows))"
    if not share:
        yield "batches = batches_of(order)"
        return
    apart = source.comment(Text("the rows that are kept apart come first in it"))
    yield f"num_test = int(len(rows) * {share!r})  {apart}"
    train = "order[num_test:]"
    yield f"batches = batches_of({train if data.get('shuffle') else f'sorted({train})'})"
    if source.is_tested:
        yield "test_batches = batches_of(sorted(order[:num_test]))"
