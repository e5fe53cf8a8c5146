r"""All equilibria of two and of three tokens on the circle, proved to be all.

Tokens at angles :math:`\theta_i`, :math:`V = \operatorname{diag}(\lambda_1, \lambda_2)`, rest where

.. math:: F_i(\theta) = \sum_j R_{ij}(\lambda_2\cos\theta_i\sin\theta_j - \lambda_1\sin\theta_i\cos\theta_j) = 0 .

The torus of angles is cut into boxes until each is either shown to hold no zero, by F in balls or by a Krawczyk step
that leaves the box, or to hold exactly one. F is the gradient of the energy, whose critical points with an even number
of unstable directions are as many as those with an odd one (the Euler characteristic of a torus is 0): the counts that
come out can be checked by it.

Source: derived here; the equation is that of arXiv 2604.26085, as reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from math import pi

import flint
from flint import arb, arb_mat, fmpq_mat

from gegenflow.theory.exact.arguments import Real, check_rational
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count, check_digits, check_items
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.spectral_selection.arguments import check_beta_of_modes
from gegenflow.theory.spectral_selection.boxes import Box, dot, krawczyk, middle, proves
from gegenflow.theory.spectral_selection.mixed import Equilibrium, System, certified_equilibrium

Point = tuple[arb, arb]

PAIR = "two different rational numbers other than 0 are needed"
BITS = 64
MOST_BOXES = 200_000
WIDENING = 1.25
OVERLAPPING = 0.05
"""The quarter of the torus that stands for all of it is widened by this angle, so that no zero lies on its edge."""
CROWDED = "equilibria that are not isolated, or nearly so, keep the search from ending: move beta or the eigenvalues"


def equilibria(tokens: int, eigenvalues: Sequence[Real], beta: Real, *, digits: int = 15) -> tuple[Equilibrium, ...]:
    r"""All equilibria of two or three tokens in dim 2, the stable ones first, one for each class under the symmetries.

    The symmetries are the permutations of tokens and the reflections of both axes; ``copies`` says how many equilibria
    a class has. A search takes a tenth of a second for two tokens, seconds to a minute for three.

    :param tokens: their number, one of 2 and 3
    :param eigenvalues: the two of V, different, rational and not 0
    :param beta: inverse temperature, > 0
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> for one in equilibria(2, ["1", "0.5"], 1, digits=6):
    ...     print(one.unstable, one.copies, f"{one.leading_eigenvalue:.6f}")
    0 2 -0.500000
    0 2 -0.261594
    1 8 0.463714
    1 2 0.500000
    2 4 0.371353
    2 2 0.768941

    Raises ValueError for another number of tokens, eigenvalues that are equal, 0 or not rational, beta not > 0, where
    equilibria are degenerate (the verdict of one changes at this beta), and for digits < 1. Source: derived here.

    See also :func:`.equilibrium`, :func:`.phase_diagram`.
    """
    count = check_count(tokens, "tokens", "it must be 2 or 3", least=2, most=3)
    items = check_items(eigenvalues, "eigenvalues", PAIR)
    if len(items) != 2:
        raise refusal("eigenvalues", eigenvalues, PAIR)
    pair = [check_rational(x, "eigenvalues", PAIR) for x in items]
    if pair[0] == pair[1] or 0 in pair:
        raise refusal("eigenvalues", eigenvalues, PAIR)
    inverse, digits = check_beta_of_modes(beta), check_digits(digits)
    if inverse == 0:
        raise Refused("beta", beta, "it must be > 0: at 0 equilibria other than pure modes are not isolated")
    with flint.ctx.workprec(BITS):
        found = list(classes(zeros((arb(pair[0]), arb(pair[1])), enclose(inverse), count)))
    system = System(fmpq_mat([[pair[0], 0], [0, pair[1]]]), inverse)
    answers = []
    for state, copies in found:
        start = [[x.cos().mid(), x.sin().mid()] for x in state]
        answers.append(certified_equilibrium(system, start, digits, copies))
    return tuple(sorted(answers, key=lambda one: (one.unstable, float(one.leading_eigenvalue))))


@dataclass(frozen=True)
class Angles:
    """The forces F on tokens on the circle, each in units of one of its weights, that of the token ``unit[i]``."""

    first: arb
    second: arb
    beta: arb
    unit: tuple[int, ...]

    def level(self, x: Point, y: Point) -> arb:
        """The score of two tokens."""
        return self.first * x[0] * y[0] + self.second * x[1] * y[1]

    def turn(self, x: Point, y: Point) -> arb:
        """The derivative of the score by the angle of the first token."""
        return self.second * x[0] * y[1] - self.first * x[1] * y[0]

    def weights(self, points: list[Point]) -> list[Box]:
        """Weights R, the one of the unit exactly 1."""
        found = []
        for x, unit in zip(points, self.unit, strict=True):
            u = points[unit]
            found.append([(self.beta * self.level(x, (y[0] - u[0], y[1] - u[1]))).exp() for y in points])
        return found

    def residual(self, angles: Box) -> Box:
        """F, shape=[n]."""
        points = [(x.cos(), x.sin()) for x in angles]
        rows = zip(points, self.weights(points), strict=True)
        return [dot(line, [self.turn(x, y) for y in points]) for x, line in rows]

    def derivative(self, angles: Box) -> arb_mat:
        """Derivatives of F, shape=[n, n]."""
        points = [(x.cos(), x.sin()) for x in angles]
        size, weights = range(len(points)), self.weights(points)
        turns = [[self.turn(x, y) for y in points] for x in points]
        table = [[arb(0)] * len(points) for _ in size]
        for i, unit in enumerate(self.unit):
            pull = self.beta * dot(weights[i], turns[i])
            table[i][i] -= pull * turns[i][unit]
            table[i][unit] -= pull * turns[unit][i]
            for j in size:
                (a, b), (c, d) = points[i], points[j]
                tilt = self.beta * turns[i][j]
                table[i][i] += weights[i][j] * (tilt * turns[i][j] - self.level(points[i], points[j]))
                table[i][j] += weights[i][j] * (tilt * turns[j][i] + self.first * b * d + self.second * a * c)
        return arb_mat(table)


def in_units_of(pair: tuple[arb, arb], beta: arb, box: Box) -> Angles:
    """The forces in units of the weights that are largest in the middle of a box."""
    points = [(x.mid().cos(), x.mid().sin()) for x in box]
    scores = [[float(pair[0] * x * u + pair[1] * y * v) for u, v in points] for x, y in points]
    return Angles(*pair, beta, tuple(line.index(max(line)) for line in scores))


def zeros(pair: tuple[arb, arb], beta: arb, count: int) -> Iterator[Box]:
    """Boxes with one zero each, which hold all with the first angle in a quarter of the circle, the others ordered."""
    quarter, whole = arb(pi / 4, pi / 4 + OVERLAPPING), arb(3, pi + OVERLAPPING)
    stack, tried = [[quarter, *[whole] * (count - 1)]], 0
    while stack:
        box, tried = stack.pop(), tried + 1
        if tried > MOST_BOXES:
            raise Refused("beta", None, CROWDED)
        if any(before > after for before, after in pairwise(box[1:])):
            continue
        forces = in_units_of(pair, beta, box)
        if not all(force.contains(0) for force in forces.residual(box)):
            continue
        wide = [arb(x.mid(), x.rad() * WIDENING) for x in box]
        step = krawczyk(forces.residual, forces.derivative, wide)
        if step is not None and not all(x.overlaps(y) for x, y in zip(wide, step, strict=True)):
            continue
        if step is not None and proves(wide, step):
            yield narrowed(forces, step)
            continue
        place = max(range(count), key=lambda i, box=box: float(box[i].rad()))  # type: ignore[misc]
        centre, half = box[place].mid(), box[place].rad() / 2
        for side in (-1, 1):
            stack.append([*box[:place], arb(centre + side * half, half * (1 + 1e-9)), *box[place + 1 :]])


def narrowed(angles: Angles, box: Box) -> Box:
    """A box with one zero, after further steps."""
    for _ in range(8):
        step = krawczyk(angles.residual, angles.derivative, box)
        box = box if step is None else step
    return box


def classes(found: Iterable[Box]) -> Iterator[tuple[Box, int]]:
    """One zero of each class under the symmetries, with the number of different ones in it."""
    known: list[list[tuple[float, float]]] = []
    for box in found:
        points = [(float(x.cos().mid()), float(x.sin().mid())) for x in box]
        images = list(symmetric(points))
        if any(close(points, other) for other in known):
            continue
        different: list[list[tuple[float, float]]] = []
        for image in images:
            if not any(close(image, other) for other in different):
                different.append(image)
        known += different
        yield middle(box), len(different)


def symmetric(points: list[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """The images under permutations and reflections of the axes."""
    for order, first, second in product(permutations(points), (1, -1), (1, -1)):
        yield [(first * x, second * y) for x, y in order]


def close(points: list[tuple[float, float]], others: list[tuple[float, float]]) -> bool:
    """Whether all points are within 1e-6 of the others."""
    return all(abs(x - u) < 1e-6 and abs(y - v) < 1e-6 for (x, y), (u, v) in zip(points, others, strict=True))
