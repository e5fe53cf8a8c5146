"""The derivation: it passes as it stands, and fails as soon as one step, link or kernel is wrong."""

import re
from dataclasses import replace

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis.strategies import integers, sampled_from
from sympy.abc import alpha

from gegenflow import theory as th
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.growth import derivation as linearization
from gegenflow.theory.growth import equation as equations
from gegenflow.theory.growth import moments, splitting
from gegenflow.theory.growth.equation import perturb
from gegenflow.theory.kernels.terms import Term
from gegenflow.theory.proofs import Step
from gegenflow.theory.proofs.algebra import END, equal
from gegenflow.theory.proofs.methods import PROOFS
from gegenflow.theory.proofs.multipliers import RATE, is_tilted, tilted
from gegenflow.theory.proofs.pages import BREAK
from gegenflow.theory.sphere import P
from gegenflow.theory.symbols import d, k, t

USUAL = th.Kernel.exponential(2)
BEFORE = ("gradient", "interaction", "slopes", "curvature", "tokens", "balance", "poles", "equation", "first order")
FUNK_HECKE = ("Laplacian", "parallel", "ends", "regular", "series", "pole", "Funk-Hecke")
AFTER = (
    *("Rodrigues", "boundary", "by parts", "start", "powers", "odd mean", "odd powers", "constant", "low powers"),
    "multiplier",
)
TITLES = {
    "usa": (*BEFORE, *FUNK_HECKE, *AFTER, "rate"),
    "sa": (*BEFORE, *FUNK_HECKE, *AFTER, "normaliser", "rate"),
}
KERNELS = {
    "exponential": th.Kernel.exponential(),
    "number": USUAL,
    "Kuramoto": th.Kernel.exponential(0),
    "linear": th.Kernel.series([1, th.beta]),
    "quartic": th.Kernel.series([3, 1, 0, sp.Rational(1, 2), 2]),
}
GENERAL = th.linearize(model="sa")
DERIVATIONS = {model: th.linearize(USUAL, 3, model=model) for model in TITLES}


def patched(kernel, **parts):
    """A kernel of the same weight, some parts of which are others."""
    return type("Patched", (th.Kernel,), parts)(kernel.weight)


def named(derivation, title):
    """The step of a title."""
    return next(step for step in derivation.steps if step.title == title)


def altered(derivation, number, **sides):
    """The derivation with one step changed."""
    steps = list(derivation.steps)
    steps[number] = replace(steps[number], **sides)
    return replace(derivation, steps=tuple(steps))


MUTATIONS = {
    "scaled": lambda side: side * sp.Rational(98, 97),
    "negated": lambda side: -side,
    "raised": lambda side: side + sp.Rational(1, 97),
    "degree": lambda side: side.subs(k, k + 1),
    "dimension": lambda side: side.subs(d, d + 1),
}
STILL_TRUE = {
    *(("slopes", "dimension"), ("poles", "dimension"), ("ends", "dimension"), ("pole", "dimension")),
    *(("boundary", "degree"), ("boundary", "dimension"), ("odd mean", "scaled"), ("odd mean", "negated")),
    ("odd mean", "dimension"),
}
"""Left sides that are 0, or the same in every dimension, and stay so: only the derivation can tell."""
STEPS = [(model, number) for model, titles in TITLES.items() for number in range(len(titles))]


@pytest.mark.parametrize("model", TITLES)
@pytest.mark.parametrize("dim", [d, 2, 3, 5], ids=str)
def test_derivation_holds(dim, model):
    """Every equality and link, exponential kernel with a symbolic beta."""
    assert th.linearize(dim=dim, model=model).check()


@pytest.mark.parametrize("model", TITLES)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("kernel", [name for name in KERNELS if name != "exponential"])
def test_derivation_holds_for_other_kernels(kernel, dim, model):
    """A number for beta, the Kuramoto limit, polynomials with and without a symbol."""
    assert th.linearize(KERNELS[kernel], dim, model=model).check()


EVERY_WAY = {
    "exponential": lambda n: th.Kernel.exponential(),
    "number": lambda n: th.Kernel.exponential(n),
    "heads": lambda n: th.Kernel.heads([1, -n], [n, "-0.5"]),
    "relu": lambda n: th.Kernel.relu(n),
    "polynomial": lambda n: th.Kernel.series([n, th.beta, 0, 1][: n + 1]),
    "series": lambda n: th.Kernel.series(lambda m: sp.Integer(n) ** m / sp.factorial(m), tail=lambda m: 8 * n**m),
    "expression": lambda n: th.Kernel(t**n * sp.exp(th.beta * t)),
    "kink": lambda n: th.Kernel(sp.Abs(t) ** n + sp.Min(t, 0)),
    "jump": lambda n: th.Kernel(f"where(t > 0, {n}*t + 1, 2) + Heaviside(-t)"),
    "text": lambda n: th.Kernel(f"cosh({n}*t) + relu(t)"),
}


@settings(max_examples=12)
@given(way=sampled_from(sorted(EVERY_WAY)), number=integers(0, 3), dim=sampled_from([d, 2, 3, 4, 60]))
def test_every_way_to_make_a_kernel_gives_a_derivation_that_holds(way, number, dim):
    """The steps of its own: W' = h also across a kink or a jump, and the multiplier of W against its integral."""
    derivation = th.linearize(EVERY_WAY[way](number), dim)
    own = {step.title: step for step in derivation.steps}
    assert own["interaction"].holds()
    assert own["rate"].holds()
    assert dim == d or own["multiplier"].holds()


def test_a_step_says_nothing_below_its_least_dimension():
    """The splitting of the sphere into latitudes needs d = 3; put into d = 2 it fails, whatever its sides are."""
    splits = [step for step in th.linearize().steps if step.least == 3]
    assert splits
    for step in splits:
        assert step.at(sp.Integer(3)).holds()
        assert not step.at(sp.Integer(2)).holds()


@pytest.mark.parametrize("way", EVERY_WAY)
def test_derivation_of_every_kind_of_kernel_checks(way):
    """Whole, as a user asks for it."""
    assert th.linearize(EVERY_WAY[way](2), 3, model="usa" if way == "series" else "sa").check()


def test_a_jump_in_the_potential_is_noticed():
    """W = step(t) has W' = 0 on both sides of t = 0, and yet not everywhere."""
    assert not equal(sp.Derivative(sp.Heaviside(t), t), sp.Integer(0))
    assert equal(sp.Derivative(t * sp.Heaviside(t), t), sp.Heaviside(t))
    assert not equal(sp.Derivative(t * sp.Heaviside(t), t), 1 - sp.Heaviside(-2 * t) + t * sp.Heaviside(-t))


def test_high_dimensions_are_cases_of_the_general_steps():
    """Proved for a symbol, and refused where a side is not the case: dim 100 takes as long as d."""
    derivation = th.linearize(dim=100)
    assert derivation.check()
    equation = named(derivation, "equation")
    assert not replace(equation, rhs=2 * equation.rhs).holds()
    assert not replace(equation, dim=99).holds()


def test_latex_of_a_derivative_of_a_product_has_brackets():
    """The same in every record: (rho U')' is not rho' U'."""
    shown = named(th.linearize(dim=3), "equation")
    assert r"\frac{d}{d t} \left(\rho \frac{d}{d t} U\right)" in latex(shown.rhs)
    assert latex(sp.Function("f")(2 * t)) == r"f{\left(2 t \right)}"
    assert latex(shown.rhs) in th.linearize(dim=3).latex()
    assert latex(shown.rhs) in th.linearize(dim=3)._repr_latex_()
    assert latex(sp.Derivative(sp.exp(t), t)) == sp.latex(sp.Derivative(sp.exp(t), t))


def test_polynomial_rates_are_a_table_by_degree():
    """Each degree in its own case, equal to its rate; the degrees are those that the weight acts on."""
    kernel = th.Kernel("1 + beta*t + t**4")
    table = th.growth_rate(k, 3, kernel=kernel, noise="0.1")
    assert isinstance(table, sp.Piecewise)
    assert not table.has(sp.KroneckerDelta)
    for degree in range(1, 8):
        exact = th.growth_rate(degree, 3, kernel=kernel, noise="0.1")
        assert sp.expand(table.subs(k, degree) - exact) == 0
        assert (exact != -degree * (degree + 1) * sp.Rational(1, 10)) == (degree in kernel.degrees)
    assert th.Kernel.relu().degrees is None


@pytest.mark.parametrize("model", TITLES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_derivation_ends_at_the_growth_rate(kernel, model):
    """The last step's right side is what growth_rate returns, and has its certified digits (other code: balls)."""
    derivation = th.linearize(KERNELS[kernel], 3, model=model)
    assert derivation.rate == th.growth_rate(k, 3, kernel=KERNELS[kernel], model=model)
    if not derivation.rate.has(th.beta):
        for degree in (1, 2, 5):
            exact = sp.N(derivation.rate.subs(k, degree).doit(), 30)
            certified = th.growth_rate(degree, 3, kernel=KERNELS[kernel], model=model, digits=20)
            assert abs(exact - sp.Float(certified.value, 30)) <= sp.Float(certified.error, 30)


DRAWN = {
    "usual": lambda dim: th.linearize(dim=dim),
    "softmax": lambda dim: th.linearize(dim=dim, model="sa", noise=1 / th.kappa),
    "polynomial": lambda dim: th.linearize("3 + beta*t + t**3/2 + 2*t**4", dim, model="sa"),
    "rectified": lambda dim: th.linearize("relu(t)", dim, noise="0.1"),
    "mixed": lambda dim: th.linearize("t*exp(beta*t) + relu(t)**2 + t**2", dim, model="sa"),
    "heads": lambda dim: th.linearize(th.Kernel.heads([1, "-0.5"], [1, -2]), dim),
    "series": lambda dim: th.linearize(th.Kernel.series(lambda m: sp.Integer(2) ** m / sp.factorial(m)), dim),
    "integral": lambda dim: th.linearize("tanh(3*t)", dim),
}


@settings(max_examples=150)
@given(
    way=sampled_from(sorted(DRAWN)),
    dim=sampled_from([d, 2, 3, 7]),
    place=integers(0, 10**6),
    side=sampled_from(["lhs", "rhs"]),
    mutation=sampled_from(sorted(MUTATIONS)),
)
def test_a_wrong_side_of_any_step_is_noticed(way, dim, place, side, mutation):
    """A factor, a sign, a term, a degree or a dimension off, for every kind of kernel: its own proof fails, too."""
    derivation = DRAWN[way](dim)
    number = place % len(derivation.steps)
    step = derivation.steps[number]
    wrong = MUTATIONS[mutation](getattr(step, side))
    if wrong == getattr(step, side):
        return
    assert not altered(derivation, number, **{side: wrong}).check()
    if step.general is not None or side == "rhs" or (step.title, mutation) not in STILL_TRUE:
        assert not replace(step, **{side: wrong}).holds()


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("side", ["lhs", "rhs"])
@pytest.mark.parametrize("title", [*dict.fromkeys(title for titles in TITLES.values() for title in titles), "circle"])
def test_one_wrong_side_is_noticed(title, side, mutation):
    """With d a symbol, where a step is proved and not the case of one; what is left as it is says so."""
    step = named(GENERAL, title)
    wrong = MUTATIONS[mutation](getattr(step, side))
    kept = wrong == getattr(step, side) or (side == "lhs" and (title, mutation) in STILL_TRUE)
    assert replace(step, **{side: wrong}).holds() == kept


BUILDERS = {
    "equation": (equations, "equation"),
    "Laplacian": (splitting, "laplacian"),
    "multiplier": (moments, "multiplier"),
    "normaliser": (moments, "normaliser"),
}


@pytest.fixture
def unproved():
    """The steps that hold for every kernel, built anew and not kept."""
    linearization._general.cache_clear()
    yield
    linearization._general.cache_clear()


@pytest.mark.usefixtures("unproved")
@pytest.mark.parametrize("factor", [2, -1])
@pytest.mark.parametrize(
    ("model", "title"), [(m, b) for m in TITLES for b in BUILDERS if (m, b) != ("usa", "normaliser")]
)
def test_a_wrong_step_in_the_source_is_noticed(model, title, factor, monkeypatch):
    """The package itself writes a step with both sides wrong alike: a later step or a link has to refuse it."""
    place, name = BUILDERS[title]
    build = getattr(place, name)

    def wrong(*arguments):
        step = build(*arguments)
        return replace(step, lhs=factor * step.lhs, rhs=factor * step.rhs)

    monkeypatch.setattr(place, name, wrong)
    assert not th.linearize(USUAL, 3, model=model).check()


@pytest.mark.usefixtures("unproved")
@pytest.mark.parametrize("model", TITLES)
def test_a_first_order_that_does_not_lead_to_the_rate_is_noticed(model, monkeypatch):
    """The package itself writes d_t mu = +div(mu v) and d_t f = +Lap u, two true equalities, and ends at +L_k w_k."""
    equation, first = equations.equation, equations.first_order

    def mirrored(*arguments):
        step = equation(*arguments)
        return replace(step, lhs=-step.lhs, rhs=sp.expand(-step.rhs))

    def followed(*arguments):
        step = first(*arguments)
        return replace(step, rhs=-step.rhs)

    monkeypatch.setattr(equations, "equation", mirrored)
    monkeypatch.setattr(equations, "first_order", followed)
    derivation = th.linearize(USUAL, 3, model=model)
    assert [step.title for step in derivation.steps if not step.holds()] == ["Laplacian", "Funk-Hecke"]
    assert derivation.rate == DERIVATIONS[model].rate
    assert not derivation.check()


@pytest.mark.parametrize(("model", "number"), STEPS, ids=[f"{m}-{TITLES[m][n]}" for m, n in STEPS])
@pytest.mark.parametrize("mutation", ["scaled", "negated"])
def test_both_sides_wrong_together_is_noticed_through_the_links(model, number, mutation):
    """A true equality that is not what the neighbouring steps need: only the links can tell."""
    derivation, wrong = DERIVATIONS[model], MUTATIONS[mutation]
    step = derivation.steps[number]
    both = altered(derivation, number, lhs=wrong(step.lhs), rhs=wrong(step.rhs))
    assert both == derivation or not both.check()


def test_a_wrong_normaliser_carried_to_the_rate_is_noticed():
    """Z_0 twice too large in its own step and in the last one: the normaliser must be tied to the mean of h."""
    derivation = DERIVATIONS["sa"]
    normaliser, rate = derivation.steps[-2:]
    wrong = altered(derivation, -2, lhs=2 * normaliser.lhs, rhs=2 * normaliser.rhs)
    wrong = altered(wrong, -1, lhs=rate.lhs / 2, rhs=rate.rhs / 2)
    assert wrong.rate == derivation.rate / 2
    assert not wrong.check()


@pytest.mark.parametrize("model", TITLES)
def test_a_wrong_equation_carried_to_the_rate_is_noticed(model):
    """d_t mu = +div(mu v) all the way down gives rates of the wrong sign: the equation must be the model's."""
    derivation = DERIVATIONS[model]
    equation, first, laplacian, rate = (
        named(derivation, title) for title in ("equation", "first order", "Laplacian", "rate")
    )
    places = [titles.index(title) for titles in [TITLES[model]] for title in ("equation", "first order", "Laplacian")]
    free = {"general": None}
    wrong = altered(derivation, places[0], lhs=-equation.lhs, rhs=sp.expand(-equation.rhs), **free)
    wrong = altered(wrong, places[1], lhs=perturb(sp.expand(-equation.rhs)), rhs=-first.rhs, **free)
    wrong = altered(wrong, places[2], lhs=-laplacian.lhs, rhs=-laplacian.rhs, **free)
    wrong = altered(wrong, -1, lhs=-rate.lhs, rhs=-rate.rhs)
    assert all(step.holds() for step in wrong.steps)
    assert wrong.rate == -derivation.rate
    assert not wrong.check()


def test_a_step_of_the_argument_cannot_be_exchanged_for_a_truism():
    """Funk-Hecke is what lets W*P_k be replaced by w_k P_k: 1 = 1 does not."""
    derivation = DERIVATIONS["usa"]
    number = TITLES["usa"].index("Funk-Hecke")
    assert not altered(derivation, number, lhs=sp.Integer(1), rhs=sp.Integer(1)).check()


def test_a_derivation_for_another_dimension_is_noticed():
    """The steps of dim 3 do not prove dim 5."""
    assert not replace(DERIVATIONS["usa"], dim=5).check()


@pytest.mark.parametrize(
    "change",
    [
        lambda kernel: patched(kernel, multiplier=lambda self, degree, dim: 2 * kernel.multiplier(degree, dim)),
        lambda kernel: patched(kernel, multiplier=lambda self, degree, dim: kernel.multiplier(degree + 1, dim)),
        lambda kernel: patched(kernel, multiplier=lambda self, degree, dim: kernel.multiplier(degree, dim + 2)),
        lambda kernel: patched(kernel, potential=2 * kernel.potential),
        lambda kernel: patched(kernel, potential=kernel.potential + t),
        lambda kernel: patched(kernel, potential=-kernel.potential),
    ],
    ids=["multiplier doubled", "degree off", "dim off", "potential doubled", "potential off", "potential negated"],
)
@pytest.mark.parametrize(
    ("kernel", "model"), [(USUAL, "usa"), (KERNELS["quartic"], "sa")], ids=["exponential", "quartic"]
)
def test_a_wrong_kernel_is_noticed(kernel, change, model):
    """A kernel whose parts do not belong together."""
    assert not th.linearize(change(kernel), 3, model=model).check()


def test_a_constant_in_the_potential_does_not_matter():
    """Only the gradient of W moves tokens: W + 1 gives the same rates and still checks."""
    shifted_kernel = patched(USUAL, potential=USUAL.potential + 1)
    derivation = th.linearize(shifted_kernel, 3)
    assert derivation.check()
    assert derivation.rate == DERIVATIONS["usa"].rate


def test_each_proof_tells_true_from_false():
    """One true equality and one slightly false one for each proof that needs no premises, all written out here."""
    legendre = (1 - t**2) * sp.Derivative(P(k, t), t, 2) - 2 * t * sp.Derivative(P(k, t), t)
    integral = sp.Integral(t**2 * th.sphere.zonal_weight(3), (t, -1, 1))
    cosines = P(k, (t + sp.sqrt(1 - t**2)) / sp.sqrt(2))
    cases = {
        "symbolically": (sp.sin(alpha) ** 2, 1 - sp.cos(alpha) ** 2, 1 + sp.cos(alpha) ** 2, 3),
        "symbolically, term by term": (legendre, -k * (k + 1) * P(k, t), -k * (k + 2) * P(k, t), 3),
        "symbolically, at both ends": (sp.Subs(t**2 + t, t, END), 1 + END, 2 * END, 3),
        "by a Beta integral": (integral, sp.Rational(1, 3), sp.Rational(1, 3) + sp.Rational(1, 10**45), 3),
    }
    for how, (left, true, false, dim) in cases.items():
        assert Step("", "", left, true, how, dim).holds()
        assert not Step("", "", left, false, how, dim).holds()
    assert not Step("", "", cosines, P(k, t), "by the addition theorem", 2).holds()


def test_a_product_of_harmonics_is_no_series():
    """Of powers of 1 - t this expression vanishes, of their sums it does not: only what is linear goes term by term."""
    p = P(k, t)
    first, second = sp.Derivative(p, t), sp.Derivative(p, (t, 2))
    product = (1 - t) * p * second - p * first - (1 - t) * first**2
    assert sp.expand(product.subs(k, 2).replace(P, lambda n, x: th.gegenbauer(n, 3, x)).doit()) != 0
    assert sp.simplify(product.replace(P, lambda n, x: (1 - x) ** n).doit()) == 0
    assert not Step("", "", product, sp.Integer(0), "symbolically, term by term", 3).holds()


def test_every_proof_is_used_and_every_reference_named():
    """By the derivations that are mutated above and those listed; of a polynomial no series is cited."""
    derivations = {way: build(d) for way, build in DRAWN.items()}
    listed = [th.derivations()[name] for name in th.derivations()]
    assert {step.how for one in (*derivations.values(), *listed) for step in one.steps} == set(PROOFS)
    assert all(one.check() for one in derivations.values())
    cited = ("4.2.19", "4.21.3", "5.5.1", "5.5.5", "5.12.1", "10.25.2", "18.5.1", "18.5.9")
    assert derivations["usual"].references == cited
    assert derivations["polynomial"].references == tuple(name for name in cited if name not in ("4.2.19", "10.25.2"))
    assert f"DLMF {', '.join(cited)}." in derivations["usual"].latex(document=True)
    assert "4.21.3" not in th.linearize(dim=3).references
    assert equal(derivations["integral"].rate, th.growth_rate(kernel="tanh(3*t)"))


@pytest.mark.parametrize("power", range(4))
@pytest.mark.parametrize("degree", [0, k - 1])
@pytest.mark.parametrize("dim", [d, 2, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_series_of_bessel_functions_is_told_from_another(power, degree, dim, sign):
    """The multiplier of t^n e^{+-at} coefficient by coefficient, and not that of any neighbour."""
    own = tilted(power, degree, dim, sign)
    assert own is not None
    for neighbour in (Term(sp.S.One, power, sign * RATE).multiplier(degree + 1, dim), own / 2, own + 1):
        assert not is_tilted(neighbour, power, degree, dim, sign)


def balanced(latex: str) -> bool:
    """Braces nest, left and right come in pairs, environments close in order."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", latex):
        if kind == "begin":
            stack.append(name)
        elif not stack or stack.pop() != name:
            return False
    pairs = (len(re.findall(rf"\\{side}(?![a-z])", latex)) for side in ("left", "right"))
    brackets = latex.count(r"\[") == latex.count(r"\]")
    return depth == 0 and not stack and len(set(pairs)) == 1 and brackets


@pytest.mark.parametrize("model", TITLES)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dim", [d, 3], ids=str)
def test_latex_is_well_formed_and_complete(kernel, dim, model):
    """Balanced, one item a step, and the mathematics of each side in it; the notebook form is one formula."""
    derivation = th.linearize(KERNELS[kernel], dim, model=model)
    paper, notebook = derivation.latex(), derivation._repr_latex_()
    assert balanced(paper)
    assert balanced(notebook)
    assert paper.count(r"\item") == len(derivation.steps)
    joined = paper.replace(BREAK, " "), notebook.replace(BREAK, " ")
    for step in derivation.steps:
        for side in (step.lhs.xreplace(dict(step.stands)), step.rhs.xreplace(dict(step.stands))):
            assert all(latex(side) in text for text in joined)
            assert latex(side) in step._repr_latex_().replace(BREAK, " ")
        assert step.words in paper
        assert step.words in step._repr_latex_()
        assert balanced(step._repr_latex_())
        assert (step.symbol in paper) or not step.symbol
        assert str(step.rhs) in str(step)
        assert str(step.lhs) in repr(step)
    assert notebook.startswith("$")
    assert notebook.endswith("$")
    assert not re.search(r"\bNone\b|nan|<|>", re.sub(r"\\[lr]angle", "", paper))


def test_the_checker_of_latex_sees_what_is_broken():
    """The helper itself: a missing brace, a crossed environment, an unpaired bracket."""
    for broken in ("{a", "a}", r"\begin{a}\begin{b}\end{a}\end{b}", r"\left(a", r"\[ a"):
        assert not balanced(broken)


@pytest.mark.parametrize("model", TITLES)
def test_text_names_every_step(model):
    """Titles in order, numbered, each with how it was checked; no LaTeX is left over; a shell shows a dozen lines."""
    assert len(repr(DERIVATIONS[model]).splitlines()) <= 12
    text = str(DERIVATIONS[model])
    assert [step.title for step in DERIVATIONS[model].steps] == list(TITLES[model])
    positions = [text.index(f"{number}  {title}") for number, title in enumerate(TITLES[model], 1)]
    assert positions == sorted(positions)
    assert text.count("checked") == len(TITLES[model])
    assert not re.search(r"[\\$]", text)
    assert f"dim 3, {model.upper()}" in text


NOISY = {
    "usa": th.linearize("1 + t**2", 3, noise="0.1"),
    "sa": th.linearize(USUAL, 2, model="sa", noise=1 / th.kappa),
}


@pytest.mark.parametrize("model", NOISY)
def test_noise_is_a_step_like_the_others(model):
    """The equation has it from the start; what it takes away is what growth_rate takes away, digits included."""
    derivation = NOISY[model]
    assert derivation.check()
    titles = [step.title for step in derivation.steps]
    expected = [title if title not in FUNK_HECKE[1:] else "circle" for title in TITLES[model]]
    expected = list(dict.fromkeys(expected)) if derivation.dim == 2 else list(TITLES[model])
    assert [title for title in titles if title != "diffusion"] == expected
    assert titles.index("diffusion") == titles.index("Laplacian") + 1
    noise = derivation.noise
    for degree in (1, 2, 5):
        without = th.linearize(derivation.kernel, derivation.dim, model=model).rate
        lost = sp.simplify((without - derivation.rate).subs(k, degree).doit())
        assert sp.simplify(lost - degree * (degree + derivation.dim - 2) * noise) == 0
    paper = derivation.latex(document=True)
    assert r"+ \kappa^{-1} \Delta \rho" in paper
    assert (r"$\kappa^{-1} = \frac{1}{10}$" in paper) == (model == "usa")
    assert balanced(paper)
    assert "noise" in repr(derivation).splitlines()[0]
    assert len(repr(derivation).splitlines()) <= 12


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("side", ["lhs", "rhs"])
@pytest.mark.parametrize("title", ["equation", "first order", "Laplacian", "diffusion", "rate"])
def test_one_wrong_side_under_noise_is_noticed(title, side, mutation):
    """As without it."""
    for derivation in NOISY.values():
        number = [step.title for step in derivation.steps].index(title)
        step = derivation.steps[number]
        wrong = MUTATIONS[mutation](getattr(step, side))
        assert replace(step, **{side: wrong}).holds() == (wrong == getattr(step, side))


def test_noise_of_another_size_is_noticed():
    """Every step true by itself, and yet not those of this noise."""
    derivation = NOISY["usa"]
    assert not replace(derivation, noise=sp.Rational(1, 5)).check()
    assert not replace(th.linearize("1 + t**2", 3), noise=sp.Rational(1, 10)).check()
    assert th.linearize("1 + t**2", 3, noise=0) == th.linearize("1 + t**2", 3)
    with pytest.raises(ValueError, match=r"^noise -1"):
        th.linearize(noise=-1)


def test_bad_input_is_named():
    """The dimension and the model."""
    with pytest.raises(ValueError, match=r"^dim 1"):
        th.linearize(dim=1)
    with pytest.raises(ValueError, match=r"^model relu"):
        th.linearize(model="relu")
