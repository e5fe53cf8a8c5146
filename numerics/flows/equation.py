"""The equation of motion of a flow, in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gegenflow.numerics.flows.activations import activation_name
from gegenflow.numerics.flows.weights import kernel_name
from gegenflow.numerics.tokens.geometry import Array

if TYPE_CHECKING:
    from gegenflow.numerics.flows.flow import Flow
    from gegenflow.numerics.flows.parts import Head, RandomLayers

SHOWN_DIM = 3  # matrices up to this size are written out


def equation(flow: Flow) -> str:
    r"""The equation of motion with the parts that the flow has, and the matrices and kernels in it.

    >>> from gegenflow.numerics.flows.flow import Flow
    >>> print(equation(Flow(beta=2, model="sa", noise=0.5)))
    dx_i = \frac{1}{Z_i} P_{x_i} \sum_j w_j e^{2 \langle x_i, x_j\rangle} x_j\,dt + \sqrt{2 \cdot 0.5}\,dW_i
    """
    parts: Sequence[Flow | Head] = flow.heads or ((flow,) if flow.attends else ())
    numbered = [(f"_{k}" if flow.heads else "", part) for k, part in enumerate(parts, 1)]
    output = " + ".join(_output(flow, part, number) for number, part in numbered)
    output = rf"\Big({output}\Big)" if len(flow.heads) > 1 else output
    noise = rf" + \sqrt{{2 \cdot {flow.noise:g}}}\,dW_i" if flow.noise else ""
    if flow.random_layers is not None:
        return _layered(flow, flow.random_layers, numbered, output)
    drift = {
        "post": f"dx_i = {_divided('P_{x_i} ' + output, flow)}",
        "pre": f"dx_i = {_divided(output, flow)}",
        "peri": r"dx_i = \frac{A_i}{|A_i|}",
    }[flow.layer_norm]
    notes = [f"A_i = {_divided(output, flow)}"] if flow.layer_norm == "peri" else []
    notes += [r"\theta_i = x_i/|x_i|"] if flow.layer_norm != "post" else []
    if flow.causal is not None and flow.model == "usa":
        notes.append(r"M_i = \sum{} w_j {}".format(*_mask(flow)).strip())
    notes += [note for number, part in numbered for note in _notes(part, number)]
    return r", \quad ".join([rf"{drift}\,dt{noise}", *notes])


def _layered(flow: Flow, part: RandomLayers, numbered: list[tuple[str, Flow | Head]], output: str) -> str:
    """One layer, and what is in it."""
    count = "L" if part.layers is None else str(part.layers)
    means = _divided(output, flow) if flow.attends else ""
    added = [rf"\frac{{1}}{{{count}}} P_{{x_i}} {means}"] if flow.attends and not part.values else []
    notes = [r"L \to \infty"] if part.layers is None else []
    if part.activation is not None:
        name = activation_name(part.activation).replace("_", r"\_")
        added.append(rf"\frac{{1}}{{\sqrt{{{count}}}}} \xi(x_i)")
        width = r"m \to \infty" if part.width is None else f"m = {part.width}"
        notes += [rf"\xi(x) = \frac{{1}}{{\sqrt m}} \sum_k u_k \mathrm{{{name}}}(\langle w_k, x\rangle)", width]
    if part.values:
        added.append(rf"\frac{{1}}{{\sqrt{{{count}}}}} V {means}")
    notes += [note for number, head in numbered for note in _notes(head, number)]
    return r", \quad ".join([rf"x_i \leftarrow N\Big(x_i + {' + '.join(added)}\Big)", *notes])


def _divided(output: str, flow: Flow) -> str:
    if flow.causal is not None and flow.model == "usa":
        return rf"\frac{{1}}{{M_i}} {output}"
    return output if flow.model == "usa" or flow.heads else rf"\frac{{1}}{{Z_i}} {output}"


def _output(flow: Flow, part: Flow | Head, number: str) -> str:
    place = "x" if flow.layer_norm == "post" else r"\theta"
    score = rf"\langle {place}_i, {f'B{number} ' if part.query_key is not None else ''}{place}_j\rangle"
    power = rf"{part.beta:g} ({score} - 1)" if flow.scaled else f"{part.beta or 0:g} {score}"
    weight = f"h{number}({score})" if part.beta is None else f"e^{{{power}}}"
    seen, nearness = _mask(flow)
    weight = nearness + weight
    ahead = rf"\frac{{1}}{{Z{number or '_'}{{}}_i}} ".replace("__", "_") if flow.heads and flow.model == "sa" else ""
    pulled = f"V{number} {place}_j" if part.value is not None else f"{place}_j"
    return rf"{ahead}\sum{seen} w_j {weight} {pulled}"


def _mask(flow: Flow) -> tuple[str, str]:
    """The range of the sum over j, and the weight by the distance in it."""
    if flow.causal is None:
        return "_j", ""
    nearness = rf"e^{{-{flow.causal.decay:g}(i - j)/n}} " if flow.causal.decay else ""
    return r"_{j \le i}" if flow.causal.own else "_{j < i}", nearness


def _notes(part: Flow | Head, number: str) -> list[str]:
    notes = []
    if part.kernel is not None:
        known = getattr(part.kernel, "_repr_latex_", None)
        name = kernel_name(part.kernel).replace("_", r"\_")
        notes.append(known().strip("$").replace("h(", f"h{number}(", 1) if known else rf"h{number} = \mathrm{{{name}}}")
    matrices = (("B", part.query_key), ("V", part.value))
    return notes + [
        f"{letter}{number} = {_matrix(m)}" for letter, m in matrices if m is not None and len(m) <= SHOWN_DIM
    ]


def _matrix(rows: Array) -> str:
    body = r" \\ ".join(" & ".join(f"{entry:g}" for entry in row) for row in rows)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"
