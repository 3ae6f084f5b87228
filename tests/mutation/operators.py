"""What a mutant puts into the place of a node.

Left out is what no test can see, or should: texts for people (messages, log lines, the names of threads and
loggers), and locks, whose absence shows only once in a while.
"""

import ast
from collections.abc import Iterator

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_LOGGER = "_log"
#: Names of threads, loggers and context variables begin with it.
_PROJECT = "simplestack"


def replacements(node: ast.AST, reassigned: frozenset[str]) -> Iterator[ast.AST]:
    """Yield what may stand for a node; `Pass` deletes a statement.

    :param reassigned: variables that have a value without this statement, too
    """
    match node:
        case ast.stmt():
            if _is_deletable(node, reassigned):
                yield ast.Pass()
            yield from _of_statement(node)
        case ast.expr():
            yield from _of_expression(node)
        case ast.cmpop() if type(node) in _COMPARISONS:
            yield _COMPARISONS[type(node)]()
        case ast.operator() if type(node) in _ARITHMETIC:
            yield _ARITHMETIC[type(node)]()
        case ast.ExceptHandler(type=ast.Name(id="BaseException")):
            yield ast.ExceptHandler(ast.Name("Exception", ast.Load()), node.name, node.body)
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)


def is_for_people(node: ast.AST, *, within: ast.AST) -> bool:
    """Tell whether people alone read a node: a docstring, a log line, a piece of a message."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return name == _LOGGER
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return True
        case ast.Constant() if isinstance(within, ast.JoinedStr):
            pieces = [piece.value for piece in within.values if isinstance(piece, ast.Constant)]
            return any(_is_text(str(piece)) for piece in pieces)
    return False


def _is_deletable(node: ast.stmt, reassigned: frozenset[str]) -> bool:
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.For():
            return True
        case ast.Continue() | ast.Break():
            return True
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in reassigned
        case ast.Delete(targets=[ast.Subscript()]):
            return True
    return False


def _of_statement(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.If() if not isinstance(node.test, ast.Constant):
            for value in (True, False):
                yield ast.If(ast.Constant(value), node.body, node.orelse)
        case ast.While() if not isinstance(node.test, ast.Constant):
            for value in (True, False):
                yield ast.While(ast.Constant(value), node.body, node.orelse)
        case ast.Return(value=ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not())):
            for value in (True, False):
                yield ast.Return(ast.Constant(value))
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))


def _of_expression(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Constant():
            yield from _of_constant(node.value)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.BoolOp():
            for dropped in range(len(node.values)):
                kept = node.values[:dropped] + node.values[dropped + 1 :]
                yield kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Call(func=ast.Name(id="min" | "max" | "sorted"), args=[_, *_]):
            yield from node.args


def _of_constant(value: object) -> Iterator[ast.expr]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
        case str() if not _is_text(value):
            yield ast.Constant(f"{value}XX")
        case bytes():
            yield ast.Constant(value + b"XX")


def _is_text(text: str) -> bool:
    return " " in text or text.startswith(_PROJECT)
