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


def slice_of(sources, last):
    """The places of the cells, in order, that the cell at `last` needs: those that give what it takes, and so on."""
    flows = [taken_and_given(source) for source in sources[: last + 1]]
    bring = [_imported(source) for source in sources[: last + 1]]
    needed, wanted = {last}, [(last, name) for name in flows[last][0]]
    while wanted:
        place, name = wanted.pop()
        found = next((at for at in range(place - 1, -1, -1) if name in flows[at][1] | bring[at]), None)
        if found is not None and found not in needed:
            needed.add(found)
            wanted += [(found, other) for other in flows[found][0]]
    return sorted(needed)


def _imported(source):
    tree = ast.parse(TransformerManager().transform_cell(source))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).split(".")[0] for node in nodes for alias in node.names}
