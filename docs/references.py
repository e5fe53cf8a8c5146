"""Signatures as the sources write them, and links to the one place where a public name is described."""

import ast
import contextlib
import inspect
import pkgutil
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
    full = place_of(node["reftarget"], node.get("py:module") or "")
    if full is None:
        return None
    place = env.get_domain("py").objects[full]
    return make_refnode(app.builder, node["refdoc"], place.docname, place.node_id, contents, full)


def place_of(target, module):
    """Where a thing is described that is named in full, or by a last name that is the only such one on its side."""
    with contextlib.suppress(ImportError, AttributeError, KeyError, ValueError):
        return homes()[id(pkgutil.resolve_name(target))] if target.startswith("gegenflow.") else only(target, module)
    return None


def only(name, module):
    """The one public thing of the side of a module with this last name."""
    side = ".".join(module.split(".")[:2])
    (full,) = [full for full in homes().values() if full.startswith(f"{side}.") and full.endswith(f".{name}")]
    return full
