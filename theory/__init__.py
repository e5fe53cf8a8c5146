"""Symbols, exact numbers and certified balls: what attention on the sphere must do.

The core names are here; each room holds the rest. Names load on first use, so importing this package costs nothing.

exact               Exact numbers, certified balls, and tables of them.
kernels             Attention weights h(t): their multipliers, potentials and series.
proofs              Steps that a computer verifies, and the ways to verify them: what every derivation is made of.
growth              Growth rates of the harmonics about the uniform state, and where they come from.
phases              Which degree grows fastest: boundaries, the phase diagram, asymptotics and bounds.
finite_tokens       Finitely many tokens: which degree emerges first, when, and how far they are from their density.
expansions          The density order by order in the amplitude of its start.
noise               Noisy tokens: how the uniform state gives way, near the threshold and far from it.
clusters            Cluster states: energies, spectra, escapes, lifetimes, and variations of the energy.
synchronization     Tokens that all meet: rates, hitting times, layer normalisation and long contexts.
low_temperature     Large beta: limit maps, diffusion, metastability and pairing.
causal              Causal attention: what a token keeps of those before it, the lost middle, and leaders.
multihead           Several heads of attention: equiangular tokens, energies, critical temperatures, and linear theory.
random_layers       Layers with random weights: the noise that all tokens share, and the pairs of tokens it gathers.
spectral_selection  A symmetric value matrix selects eigenvectors: equilibria, stability, phases, basins.
derived             Named derivations of what other rooms state, each step checked.

The core names, by the place that holds them; ``help(theory.phases)`` or ``dir(theory.phases)`` shows those of a room:

symbols             beta, d, k, kappa, t
sphere              gegenbauer, gegenbauer_function, harmonic_dimension
exact               Certified, Refused, Table, certify
kernels             Kernel, funk_hecke
growth              growth_rate, linearize, noise_threshold, rate_function
phases              boundaries, critical_beta, critical_table, growth_table, phase, selected_degree, stability
derived             derivations
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
