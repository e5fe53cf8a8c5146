r"""Whether an expression is identically zero: sums of terms made of gamma functions, powers and rational functions.

Every term has a normal form: gamma functions at arguments that differ by an integer from one another are written with
one of them, :math:`\Gamma(a+m) = (a)_m\,\Gamma(a)`, those of twice an argument by duplication, powers with exponents
that differ by an integer with one of them. Terms alike in all that then add up to a rational function, which is zero
where its numerator expands to zero. So a sum that is found zero is zero for all values of its symbols: what the
identities need is analytic in them, and reciprocals of gamma functions have no poles.

Source: DLMF 5.5.1 and 5.5.5.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from gegenflow.theory.exact.arguments import Expr

Key = frozenset[tuple[str, Expr, Expr]]
HALF = sp.Rational(1, 2)


def vanishes(expression: Expr) -> bool:
    r"""Whether the normal form is zero; False says only that it is not.

    >>> n, z = sp.symbols("n z", positive=True)
    >>> vanishes(sp.gamma(n + 1) - n * sp.gamma(n)), vanishes(2 ** (z + 1) - 2 * 2**z)
    (True, True)
    >>> vanishes(sp.factorial(2 * n) - 4**n * sp.rf(HALF, n) * sp.factorial(n)), vanishes(sp.gamma(n + 1) - sp.gamma(n))
    (True, False)
    """
    return all(_no_fraction(parts) for parts in normal_form(expression).values())


def normal_form(expression: Expr) -> dict[Key, list[Expr]]:
    """The rational factors of the terms, by what the terms have beside them."""
    spread = _spread(_in_gammas(expression))
    units: dict[Expr, Expr] = {}
    for function in spread.atoms(sp.gamma):
        for factor, symbol in _coefficients(function.args[0]):
            units[symbol] = min(units.get(symbol, abs(factor)), abs(factor))
    total: dict[Key, list[Expr]] = {}
    for term in sp.Add.make_args(spread):
        key, factor = _normal(term, units)
        total.setdefault(key, []).append(factor)
    return total


def _coefficients(argument: Expr) -> list[tuple[Expr, Expr]]:
    """The numbers before what the argument of a gamma function holds beside a number."""
    rest = sp.expand(argument).as_coeff_Add()[1]
    return [part.as_coeff_Mul() for part in sp.Add.make_args(rest) if rest != 0]


def _no_fraction(parts: list[Expr]) -> bool:
    """Whether rational functions add up to zero."""
    unknown = (sp.Function, sp.Derivative, sp.Integral, sp.Sum, sp.Subs)
    opaque = {atom: sp.Dummy() for part in parts for atom in part.atoms(*unknown)}
    return bool(in_lowest_terms(sp.Add(*(part.xreplace(opaque) for part in parts)))[0] == 0)


def in_lowest_terms(fraction: Expr) -> tuple[Expr, Expr]:
    """Numerator and denominator, multiplied out, of a rational function of its symbols and of numbers such as pi.

    >>> x = sp.Symbol("x")
    >>> in_lowest_terms(1 / x - 1 / (x + 1)), in_lowest_terms(1 / x - 1 / (x + 1) - 1 / (x * (x + 1)))[0]
    ((1, x**2 + x), 0)
    """
    symbols = sorted(fraction.free_symbols | fraction.atoms(sp.NumberSymbol), key=str)
    if not symbols:
        return fraction if fraction.is_Rational else sp.simplify(fraction), sp.S.One
    names = {symbol: sp.Dummy(str(symbol)) for symbol in symbols}
    back = {name: symbol for symbol, name in names.items()}
    try:
        element = sp.QQ.frac_field(*back).from_sympy(fraction.xreplace(names))
    except ValueError:
        return tuple(map(sp.expand, sp.fraction(sp.together(fraction))))
    return element.numer.as_expr().xreplace(back), element.denom.as_expr().xreplace(back)


def _in_gammas(expression: Expr) -> Expr:
    """Factorials, binomials and Pochhammer symbols as gamma functions."""
    rules = {
        sp.factorial: lambda x: sp.gamma(x + 1),
        sp.RisingFactorial: lambda x, n: sp.gamma(x + n) / sp.gamma(x),
        sp.FallingFactorial: lambda x, n: sp.gamma(x + 1) / sp.gamma(x - n + 1),
        sp.binomial: lambda x, n: sp.gamma(x + 1) / sp.gamma(n + 1) / sp.gamma(x - n + 1),
    }
    for kind, rule in rules.items():
        if expression.has(kind):
            expression = expression.replace(kind, rule)
    return expression


def _spread(expression: Expr) -> Expr:
    """Brackets that hold gamma functions, symbolic powers or roots multiplied out, all others left."""
    if expression.is_Add:
        return sp.Add(*map(_spread, expression.args))
    if not expression.is_Mul:
        return expression
    total: list[Expr] = [sp.S.One]
    for factor in expression.args:
        power = factor.is_Pow and factor.exp.is_Integer and factor.exp > 0 and factor.base.is_Add
        spread = sp.expand(factor) if power and _is_special(factor.base) else _spread(factor)
        own = sp.Add.make_args(spread) if _is_special(spread) else (spread,)
        total = [one * other for one in total for other in own]
    return sp.Add(*total)


def _is_special(expression: Expr) -> bool:
    return any(
        isinstance(part, sp.gamma | sp.exp) or (isinstance(part, sp.Pow) and not part.exp.is_Integer)
        for part in sp.preorder_traversal(expression)
    )


def _normal(term: Expr, units: dict[Expr, Expr]) -> tuple[Key, Expr]:
    """What a term has beside its rational factor, and that factor."""
    gammas: dict[Expr, Expr] = {}
    powers: dict[Expr, Expr] = {}
    rational = sp.S.One
    for base, exponent in _factors(term):
        if isinstance(base, sp.gamma) and exponent.is_Integer:
            gammas[base.args[0]] = gammas.get(base.args[0], sp.S.Zero) + exponent
        else:
            powers[base] = powers.get(base, sp.S.Zero) + exponent
    key: dict[tuple[str, Expr], Expr] = {}
    for argument, exponent in gammas.items():
        base, ratio, more = _shifted(argument, units)
        rational *= ratio**exponent
        for name, amount in more.items():
            powers[name] = powers.get(name, sp.S.Zero) + amount * exponent
        for part in base:
            key["gamma", part] = key.get(("gamma", part), sp.S.Zero) + exponent
    for base, exponent in powers.items():
        number, rest = sp.expand(exponent).as_coeff_Add()
        whole = sp.floor(number) if number.is_Rational else sp.S.Zero
        rational *= base**whole
        if rest + number - whole != 0:
            key["power", base] = rest + number - whole
    return frozenset((kind, name, exponent) for (kind, name), exponent in key.items() if exponent != 0), rational


def _factors(term: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Bases and exponents, numbers by their primes."""
    for factor in sp.Mul.make_args(term):
        base, exponent = factor.as_base_exp()
        content, primitive = base.primitive() if base.is_Add else base.as_coeff_Mul()
        if content not in (1, base) and content.is_positive:
            yield from _factors(sp.Pow(content, exponent, evaluate=False))
            base = primitive
        if base.is_Rational and base.is_positive and not exponent.is_Integer:
            yield from ((sp.Integer(p), sign * exponent) for p, sign in _primes(base))
        elif base.is_Mul and exponent.is_Integer:
            yield from ((b, e * exponent) for part in base.args for b, e in _factors(part))
        else:
            yield base, exponent


def _primes(number: sp.Rational) -> Iterator[tuple[int, int]]:
    return iter(sp.factorint(number.p).items() | {(p, -n) for p, n in sp.factorint(number.q).items()})


def _shifted(argument: Expr, units: dict[Expr, Expr]) -> tuple[list[Expr], Expr, dict[Expr, Expr]]:
    """Gamma of an argument as gammas of others, a rational factor, and powers."""
    number, rest = sp.expand(argument).as_coeff_Add()
    if rest != 0 and all(factor / units[symbol] % 2 == 0 for factor, symbol in _coefficients(argument)):
        pieces = [_shifted(argument / 2, units), _shifted((argument + 1) / 2, units)]
        more: dict[Expr, Expr] = {sp.Integer(2): sp.expand(argument) - 1, sp.pi: -HALF}
        for name, amount in ((name, amount) for piece in pieces for name, amount in piece[2].items()):
            more[name] = more.get(name, sp.S.Zero) + amount
        return pieces[0][0] + pieces[1][0], pieces[0][1] * pieces[1][1], more
    if rest == 0 or not number.is_Rational:
        return [argument], sp.S.One, {}
    whole = int(sp.floor(number))
    least = rest + number - whole
    steps = range(whole) if whole > 0 else range(whole, 0)
    ratio = sp.Mul(*(least + i for i in steps))
    return [least], ratio if whole > 0 else 1 / ratio, {}
