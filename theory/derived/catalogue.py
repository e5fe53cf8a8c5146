"""The list of derivations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from gegenflow.theory.derived.energies import derive_dissipation, derive_second_variation
from gegenflow.theory.derived.equiangular import derive_equiangular
from gegenflow.theory.derived.landau import derive_landau
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.tables import Table
from gegenflow.theory.growth.derivation import Derivation, linearize
from gegenflow.theory.proofs.proof import Proof
from gegenflow.theory.random_layers.derivation import derive_contraction, derive_overlap

WAYS: dict[str, Callable[[], Proof | Derivation]] = {
    "linearisation": linearize,
    "dissipation": derive_dissipation,
    "second variation": derive_second_variation,
    "equiangular tokens": lambda: derive_equiangular("usa"),
    "equiangular tokens, SA": lambda: derive_equiangular("sa"),
    "Landau coefficient": derive_landau,
    "overlap diffusion": derive_overlap,
    "contraction": derive_contraction,
}


@dataclass(frozen=True, repr=False)
class Derivations:
    """Named derivations: ``derivations()["dissipation"]`` is one, iteration gives the names.

    :param names: their names, in their order

    >>> Derivations(("dissipation",)).check()
    True

    Raises Refused for a name that is none of them. Source: derived here.

    See also :func:`.derivations`.
    """

    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Proof | Derivation:
        if name not in self.names:
            raise Refused("name", name, f"the derivations are {', '.join(self.names)}")
        return _made(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def check(self) -> bool:
        """Verify every step of every derivation."""
        return all(self[name].check() for name in self.names)

    @property
    def table(self) -> Table:
        """What each derives, in how many steps, and which formulas of the DLMF it rests on."""
        rows = []
        for name in self.names:
            one = self[name]
            rows.append({"name": name, "steps": len(one.steps), "DLMF": ", ".join(one.references) or "-"})
        return Table(tuple(rows))

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {len(self[name].steps)} steps" for name in self.names)


def derivations() -> Derivations:
    r"""The derivations of the theory by name: each with ``steps``, ``check()``, ``latex()`` and ``references``.

    The growth rates, the dissipation :math:`\dot E = \sum_i w_i Z_i |\dot x_i|^2`, the second variation of the energy,
    equiangular tokens and their clock, the Landau coefficient :math:`F_4` with the tricritical point, and the overlap
    of two tokens under random layers with its contraction; all with d a symbol.

    >>> list(derivations())[:3]
    ['linearisation', 'dissipation', 'second variation']
    >>> derivations()["Landau coefficient"].check()
    True
    >>> derivations()["equiangular tokens"].steps[1].rhs
    2*(1 - g)*(g*(n - 1) + 1)*exp(beta*g)/n

    Raises Refused for a name that is none of them. Source: derived here; the room that states a result names
    its own.

    See also :func:`.linearize`, :func:`.derive_overlap`.
    """
    return Derivations(tuple(WAYS))


@lru_cache(maxsize=len(WAYS))
def _made(name: str) -> Proof | Derivation:
    return WAYS[name]()
