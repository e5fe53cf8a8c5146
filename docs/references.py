"""Signatures as the sources write them, and links to the one place where a public name is described."""

import ast
import inspect
import textwrap

from pages import homes
from sphinx.util.nodes import make_refnode


def signature(app, what, name, thing, options, given, returned):
    """``tokens: ArrayLike`` stays that, where its meaning would fill ten lines."""
    if what in ("function", "method"):
        return callable_signature(thing)
    if what == "class":
        return class_signature(thing), None
    return None


def parsed(thing):
    """The definition of a function or a class in its source."""
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))).body[0]


def callable_signature(thing):
    """The arguments without self, and what is returned."""
    try:
        node = parsed(thing)
    except (OSError, TypeError):
        return None
    first = node.args.posonlyargs or node.args.args
    if first and first[0].arg in ("self", "cls"):
        del first[0]
    return f"({ast.unparse(node.args)})", node.returns and ast.unparse(node.returns)


def class_signature(thing):
    """The arguments of the initialiser, or the fields of a dataclass."""
    body = parsed(thing).body
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return callable_signature(thing.__init__)[0]
    fields = [ast.unparse(node) for node in body if isinstance(node, ast.AnnAssign) and is_field(node)]
    return f"({', '.join(fields)})"


def is_field(node):
    """Whether a line of a dataclass is an argument of it."""
    return "ClassVar" not in ast.unparse(node.annotation) and "init=False" not in ast.unparse(node)


def elsewhere(app, env, node, contents):
    """A name of a side, or of the module that holds it, leads to its description."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].removeprefix("gegenflow.")
    name = target.rpartition(".")[2]
    here = node["reftarget"] if target != node["reftarget"] else node.get("py:module") or ""
    for (side, known), home in homes().items():
        place = env.get_domain("py").objects.get(f"{home}.{name}")
        if known == name and here.startswith(side.__name__) and place:
            return make_refnode(app.builder, node["refdoc"], place.docname, place.node_id, contents, f"{home}.{name}")
    return None
