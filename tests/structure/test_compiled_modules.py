"""The modules that `make fast` compiles can be compiled."""

import ast
from pathlib import Path

import pytest

from compiled.making import MODULES, source

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", MODULES)
def test_what_is_compiled_defines_no_structs(module: str) -> None:
    """mypyc would make classes of them that msgspec does not know; they live in modules of their own."""
    tree = ast.parse((ROOT / source(module)).read_text(encoding="utf-8"))
    bases = [
        ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases
    ]
    assert not [base for base in bases if base.endswith("Struct")]


@pytest.mark.parametrize("module", MODULES)
def test_what_is_compiled_extends_nothing_of_ours_that_is_not(module: str) -> None:
    """A compiled class cannot extend an interpreted one of ours: the module could not be imported."""
    tree = ast.parse((ROOT / source(module)).read_text(encoding="utf-8"))
    places = {
        alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    ours = [places.get(ast.unparse(base).partition("[")[0], "") for base in bases]
    assert [place for place in ours if place.startswith("orchestra_core") and place not in MODULES] == []


def test_the_modules_are_listed_in_order() -> None:
    """Sorted and once each, so that a list that grows stays readable."""
    assert sorted(set(MODULES)) == list(MODULES)
