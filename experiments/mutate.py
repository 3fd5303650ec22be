"""Small changes to a solution of which nearly every one makes it wrong, as slips of a reader would.

A mutant is the source with one change: another sign, axis, comparison or constant; two things
exchanged; a term, a call, an argument or a line left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

OTHER = {  # in place of an operator, this one
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
TURNED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
NAMES = {  # in place of a name or an attribute, this one
    "sum": "mean",
    "mean": "sum",
    "softmax": "log_softmax",
    "log_softmax": "softmax",
    "zeros": "ones",
    "zeros_like": "ones_like",
    "tril": "triu",
    "triu": "tril",
    "min": "max",
    "max": "min",
    "argmax": "argmin",
    "sin": "cos",
    "cos": "sin",
    "exp": "expm1",
    "log": "log2",
    "median": "mean",
}


UNTOUCHED = ("annotation", "returns", "decorator_list")  # fields in which nothing is changed
Put = Callable[[ast.AST], None]


@dataclass(frozen=True)
class Mutant:
    """A changed solution.

    Attributes:
        change: the first line of the changed statement, before and after.
        source: the whole solution, changed.
    """

    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """All changes of what a source defines, each as a source of its own, and none twice."""
    tree = ast.parse(source)
    seen = {ast.unparse(tree)}
    for function in (x for x in tree.body if isinstance(x, ast.FunctionDef | ast.ClassDef)):
        names = {x.arg for x in ast.walk(function) if isinstance(x, ast.arg)}
        for node, put, line in list(places(function, function)):
            before = first_line(line)
            for new in replacements(node, names):
                put(new)
                ast.fix_missing_locations(tree)
                whole = ast.unparse(tree)
                after = first_line(new if node is line else line)
                put(node)
                if whole not in seen:
                    seen.add(whole)
                    yield Mutant(f"{before} → {after}", whole)


def first_line(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]


def places(parent: ast.AST, line: ast.AST) -> Iterator[tuple[ast.AST, Put, ast.AST]]:
    """Every node below: with what puts another in its place, and the statement that holds it."""
    for field, value in ast.iter_fields(parent):
        if field in UNTOUCHED:
            continue
        children = value if isinstance(value, list) else [value]
        for i, child in enumerate(children):
            if not isinstance(child, ast.AST):
                continue
            own = child if isinstance(child, ast.stmt) else line

            def put(new: ast.AST, i=i, field=field, value=value) -> None:
                if isinstance(value, list):
                    value[i] = new
                else:
                    setattr(parent, field, new)

            yield child, put, own
            yield from places(child, own)


def replacements(node: ast.AST, names: set[str]) -> Iterator[ast.AST]:
    """What may stand in the place of a node; `names` are the arguments of its function."""
    match node:
        case ast.operator() | ast.boolop() | ast.cmpop():
            for table in (OTHER, TURNED):
                if other := table.get(type(node)):
                    yield other()
        case ast.BinOp(left=left, op=op, right=right):
            yield left
            yield right
            if isinstance(op, ast.MatMult | ast.Sub | ast.Div):
                yield ast.BinOp(right, op, left)
        case ast.UnaryOp(op=op, operand=ast.Constant(value=int(value))) if isinstance(op, ast.USub):
            yield ast.UnaryOp(op, ast.Constant(value + 1))
            yield ast.Constant(value)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(2 * value if value else 1.0)
        case ast.Name(id=name, ctx=ast.Load()):
            if other := NAMES.get(name):
                yield ast.Name(other, ast.Load())
            for other in sorted(names - {name}) if name in names else []:
                yield ast.Name(other, ast.Load())
        case ast.Attribute(value=value, attr=name, ctx=ctx):
            if other := NAMES.get(name):
                yield ast.Attribute(value, other, ctx)
        case ast.Call():
            yield from changed_calls(node)
        case ast.Slice(lower=lower, upper=upper, step=step) if lower or upper:
            yield ast.Slice(None, upper, step)
            yield ast.Slice(lower, None, step)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test=test, body=body, orelse=orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Return(value=ast.Tuple(elts=[first, second, *rest])):
            yield ast.Return(ast.Tuple([second, first, *rest], ast.Load()))
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()


def changed_calls(call: ast.Call) -> Iterator[ast.AST]:
    """A call without a named argument, with two arguments exchanged, or not made."""
    for i in range(len(call.keywords)):
        rest = call.keywords[:i] + call.keywords[i + 1 :]
        yield ast.Call(call.func, call.args, rest)
    for i in range(len(call.args) - 1):
        args = [*call.args]
        args[i : i + 2] = args[i + 1], args[i]
        yield ast.Call(call.func, args, call.keywords)
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch")), args=[one, *_]):
            yield one
        case ast.Call(func=ast.Attribute(value=value)):
            yield value
        case ast.Call(func=ast.Name(id="range"), args=[end]):
            yield ast.Call(call.func, [ast.Constant(1), end], [])
            yield ast.Call(ast.Name("reversed", ast.Load()), [call], [])
        case ast.Call(func=ast.Name(), args=[one]):
            yield one
