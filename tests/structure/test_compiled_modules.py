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


def test_the_modules_are_listed_in_order() -> None:
    """Sorted and once each, so that a list that grows stays readable."""
    assert sorted(set(MODULES)) == list(MODULES)
