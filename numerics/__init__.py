"""Tokens under attention: starts, velocity fields, runs and what to observe in them.

The core names are here; each room holds the rest. Names load on first use, so importing this package costs nothing.

tokens       Tokens on the sphere: starts, files, quadrature, and clusters among them.
flows        What moves the tokens: a flow and its parts, checked when they are made.
fields       Velocities: every way of taking the sums of attention, and the choice among them.
integrators  Steps in time: adaptive, compiled, merging, noisy, under layer normalisation.
densities    Densities on spheres: series that follow the mean-field equation, quantiles, distances.
observables  What to record of tokens and densities.
systems      Neighbouring systems, each with its own observables and fields.
runs         Runs: follow tokens or densities, save them, load them, draw them.
validation   The bridge: measurements, predictions, verdicts, and the console command.

The core names, by the room that holds them; ``help(numerics.runs)`` or ``dir(numerics.runs)`` shows those of a room:

tokens       Refused, cluster_labels, find_clusters, lattice, normalize, read_tokens, uniform
flows        Causal, Flow, Head, RandomLayers
fields       attention_field
integrators  Crossing, Interrupted, integrate
densities    circle_density, quantiles, sphere_density, wasserstein_distance, white_noise, zonal_density
observables  Clusters, Dissipation, EffectiveRank, Energy, Entropy, HarmonicAmplitude, HarmonicPower, OverlapHistogram,
             PairShare, Periodicity, harmonic_power
runs         BatchRun, DensityRun, MeanFieldRun, Run, animate, load, plot_density, plot_overlaps, plot_power,
             plot_sphere, plot_trajectories, simulate, simulate_batch, solve_density, solve_mean_field, solve_quantiles
validation   expect, measure_rates, open_study, planted_rates, prospects, report_page, study_page, uniform_rates,
             validate
"""

import os

import lazy_loader

from gegenflow.numerics.tokens.compiling import keep_compiled

# Waiting OpenMP threads sleep: spinning ones fight with the threads of BLAS, a run in dim 2 took 6 times longer.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

keep_compiled()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
