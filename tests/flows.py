"""Which names code takes from elsewhere, and which it gives: for the checks of notebooks."""

import ast
import builtins
import symtable

from IPython.core.inputtransformer2 import TransformerManager


def taken_and_given(source):
    """The global names that a cell reads before it sets them itself, and those that it sets; its functions count as run."""
    plain = TransformerManager().transform_cell(source)  # without magics
    taken, given, imported = set(), set(), set()
    for statement in ast.parse(plain).body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        sets = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()}
        brings = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_imported()}
        reads = _reads(table, top=True)
        if not isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
            reads -= sets  # a loop, a function, a condition with := set their names first
        taken |= reads - given - imported - set(dir(builtins)) - {"get_ipython"}
        given |= sets - brings
        imported |= brings
    return taken, given


def _reads(table, top=False):
    """The global names that a scope and those within it read."""
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return names.union(*map(_reads, table.get_children()))
