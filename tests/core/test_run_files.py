"""The names of a run's files are spelt in one module, each once."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from wardround.core import run_files
from wardround.settings import PROJECT

ROOM = PROJECT / "src" / "wardround"
NAMES = {
    key: name
    for key, name in vars(run_files).items()
    if key.isupper() and isinstance(name, str) and re.fullmatch(r"[\w-]+(\.\w+)+", name)
}
# Of the demo's folder, not of a run's.
ELSEWHERE = {("demo/demo.py", "summary.json")}


def texts(path: Path) -> Iterator[str]:
    """The texts of a module that are not there to be read alone, such as docstrings."""
    tree = ast.parse(path.read_text())
    read = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in read:
            yield node.value


def test_no_other_module_spells_the_name_of_a_run_s_file() -> None:
    spelt = re.compile("|".join(rf"(?<![\w.-]){re.escape(name)}(?!\.?\w)" for name in NAMES.values()))
    modules = [path for path in ROOM.rglob("*.py") if path != Path(run_files.__file__)]

    text_of = {path.relative_to(ROOM).as_posix(): "\n".join(texts(path)) for path in modules}
    found = {(path, name) for path, text in text_of.items() for name in spelt.findall(text)}

    assert len(modules) > 300
    assert len(NAMES) > 40
    assert found == ELSEWHERE


def test_no_two_files_of_a_run_have_one_name() -> None:
    assert len(set(NAMES.values())) == len(NAMES)


def test_the_files_of_chunks_are_told_from_those_of_the_run() -> None:
    names = [run_files.of_chunk(1, run_files.FEATURES), run_files.FEATURES, run_files.readings(12, 3)]

    assert names == ["chunk-0001/features.parquet", "features.parquet", "chunk-0012/readings-0003.parquet"]
    assert run_files.of_all_chunks(run_files.FEATURES, names) == names[:1]
    assert [name for name in names if run_files.holds_readings(name)] == names[2:]


def test_a_step_has_an_account_for_each_of_its_chunks() -> None:
    assert run_files.of_step("reconcile") == "steps/reconcile.json"
    assert run_files.of_step("extract", 12) == "steps/extract-0012.json"
