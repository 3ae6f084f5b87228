"""Mutants of a module: each is its source with one small defect."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mutation.operators import is_for_people, replacements

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
#: What no test can see: annotations, and how classes and functions are declared.
_DECLARING_FIELDS = frozenset({"annotation", "returns", "decorator_list", "bases", "format_spec"})
_DECLARING_NAMES = frozenset({"__slots__", "__all__"})


@dataclass(frozen=True)
class Mutant:
    """One defect."""

    #: Where it is, what stands there and what takes its place. Records use it; a line number would move.
    name: str
    #: Change the tree that the mutant was made from. This cannot be undone.
    apply: Callable[[], None]


class _Context(NamedTuple):
    #: The names of the classes and functions around a node.
    scope: str = ""
    #: The first line of the statement around it.
    statement: str = ""
    #: The variables that the function assigns several times.
    reassigned: frozenset[str] = frozenset()


Put = Callable[[ast.AST], None]


def mutants_of(source: str) -> tuple[ast.Module, list[Mutant]]:
    """Return the tree of a module, and all its mutants in the order of the source."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    mutants = []
    for node, put, context in _places(tree, _Context()):
        for new in replacements(node, context.reassigned):
            name = _name(node, new, context)
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name} ({seen[name]})"
            mutants.append(Mutant(name, _putting(node, new, put)))
    return tree, mutants


def _putting(node: ast.AST, new: ast.AST, put: Put) -> Callable[[], None]:
    def apply() -> None:
        ast.copy_location(new, node)
        put(ast.fix_missing_locations(new))

    return apply


def _name(node: ast.AST, new: ast.AST, context: _Context) -> str:
    where = context.scope or "module"
    if isinstance(new, ast.Pass):
        return f"{where}: {context.statement} -> deleted"
    old_text, new_text = _text(node), _text(new)
    if old_text == context.statement:
        return f"{where}: {old_text} -> {new_text}"
    return f"{where}: {context.statement}: {old_text} -> {new_text}"


def _text(node: ast.AST) -> str:
    """Return the first line of a node's source, without decorators."""
    if isinstance(node, ast.cmpop | ast.operator):
        return type(node).__name__
    if isinstance(node, ast.comprehension):
        return "all items" if not node.ifs else f"items with {ast.unparse(node.ifs[0])}"
    lines = ast.unparse(node).strip().splitlines()
    return next(line for line in lines if not line.startswith("@")).removesuffix(":")


def _places(node: ast.AST, context: _Context) -> Iterator[tuple[ast.AST, Put, _Context]]:
    """Yield each node below `node` that may change, and how to put another into its place."""
    for name, value in ast.iter_fields(node):
        if name in _DECLARING_FIELDS:
            continue
        if isinstance(value, ast.AST):
            yield from _place(value, _field_setter(node, name), context)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST) and not is_for_people(item, within=node):
                    yield from _place(item, _item_setter(value, index), context)


def _place(node: ast.AST, put: Put, context: _Context) -> Iterator[tuple[ast.AST, Put, _Context]]:
    if _is_declaration(node):
        return
    if isinstance(node, ast.stmt | ast.ExceptHandler):
        context = context._replace(statement=_text(node))
    yield node, put, context
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        scope = f"{context.scope}.{node.name}" if context.scope else node.name
        context = context._replace(scope=scope)
    if isinstance(node, _Function):
        context = context._replace(reassigned=_reassigned(node))
    yield from _places(node, context)


def _is_declaration(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in _DECLARING_NAMES
    )


def _reassigned(function: ast.AST) -> frozenset[str]:
    stores = Counter(
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    return frozenset(name for name, count in stores.items() if count > 1)


def _field_setter(node: ast.AST, name: str) -> Put:
    return lambda new: setattr(node, name, new)


def _item_setter(items: list[ast.AST], index: int) -> Put:
    return lambda new: items.__setitem__(index, new)
