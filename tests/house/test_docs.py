"""What the docstrings say is true: examples and sources."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
from support import rooms
from support.names import MODULES, NAMES, PACKAGES

from gegenflow.numerics.validation.law import ROOMS as LAW_ROOMS

ROOT = Path(__file__).parents[2]
WITHOUT_EXAMPLES = {
    **{
        f"gegenflow.numerics.{name}": "pictures: tests/numerics/test_plots.py looks at what they draw"
        for name in (
            *(f"runs.pictures.{kind}" for kind in ("densities", "paths", "power", "spheres")),
            *(f"validation.pictures.{kind}" for kind in ("checks", "phases", "rates")),
        )
    },
    **{
        f"gegenflow.numerics.validation.{name}": "tests/agreement/test_study_pages.py looks at what they show"
        for name in ("pictures.study_maps", "pictures.study_panels", "pages.study_pictures", "pages.study_tables")
    },
    "gegenflow.numerics.runs.batches.saving": "states between steps: tests/numerics/test_batches.py",
    "gegenflow.numerics.validation.command.validate": "the console command: tests/house/test_command.py",
    "gegenflow.numerics.validation.command.report": "the console command: tests/numerics/test_report_page.py",
    "gegenflow.numerics.validation.command.laws": "the console command: tests/house/test_command.py",
    **{
        f"gegenflow.numerics.validation.trials.{room}": "laws: tests/agreement/test_laws.py tries each"
        for room in LAW_ROOMS
    },
    **{
        f"gegenflow.theory.{room}": "steps and their proofs: tests/theory/test_linearization.py breaks each"
        for room in (
            *("growth.equation", "growth.splitting", "growth.moments"),
            *(f"proofs.{name}" for name in ("harmonics", "integrals", "methods", "multipliers")),
        )
    },
    "gegenflow.theory.symbols": "the symbols alone",
}
WITHOUT_A_SOURCE = {
    *(
        "Crossing",
        "Event",
        "Integration",
        "Interrupted",
        "Certified",
        "certify",
        "Kernel",
        "Derivation",
        "Phase",
        "Table",
        "Boundary",
        "Boundaries",
    ),
    *("critical_table", "growth_table", "Refused"),
    *("laws", "law_named", "Parameter", "Rival"),
    *(
        "BatchRun",
        "Run",
        "Status",
        "Check",
        "Report",
        "load",
        "read_tokens",
        "validate",
        "Clusters",
        "Clustering",
        "Prospect",
    ),
    *(
        "plot_checks",
        "plot_sweep",
        "plot_study_map",
        "plot_study_curves",
        "plot_density",
        "plot_power",
        "plot_trajectories",
        "plot_overlaps",
        "plot_sphere",
        "animate",
        "Coexistence",
    ),
    # one line of elementary geometry or statistics, stated in full
    *("lattice", "normalize", "uniform", "cluster_labels", "HarmonicAmplitude", "HarmonicPower"),
    *("cluster_angles", "energy_gain", "prospects", "harmonic_overlap"),
}
SOURCE = re.compile(r"Source|arXiv|DLMF|derived here")


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    """Every module shows at least one example that holds, unless it is listed with the reason."""
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert failed == 0
    assert bool(tried) != (module in WITHOUT_EXAMPLES)


def test_a_quick_run_touches_every_public_name(pytestconfig):
    """In one of its files, in an example of a docstring, which it runs, or as what such a function returns."""
    (quick,) = (plugin.QUICK for plugin in pytestconfig.pluginmanager.get_plugins() if hasattr(plugin, "QUICK"))
    assert "docs" in quick["house"].split()
    files = [ROOT / "tests" / room / f"test_{name}.py" for room, names in quick.items() for name in names.split()]
    examples = re.findall(
        r"^ *(?:>>>|\.\.\.) .*", "\n".join(inspect.getsource(importlib.import_module(m)) for m in MODULES), re.MULTILINE
    )
    words = set(re.findall(r"\w+", "\n".join([*(path.read_text() for path in files), *examples])))
    functions = [
        thing for name, thing in NAMES.items() if inspect.isfunction(thing) and name.rpartition(".")[2] in words
    ]
    words |= {
        word for thing in functions for word in re.findall(r"\w+", str(inspect.signature(thing).return_annotation))
    }
    untouched = {full for full in NAMES if full.rpartition(".")[2] not in words}
    assert not untouched, "name them in an example, or in a test of a file of QUICK in tests/conftest.py"


@pytest.mark.parametrize("module", [*MODULES, *PACKAGES])
def test_every_module_and_every_function_in_it_says_what_it_is(module):
    """A docstring for the module and for each function it defines."""
    room = importlib.import_module(module)
    assert room.__doc__
    for name, thing in vars(room).items():
        if not name.startswith("_") and inspect.isroutine(thing) and thing.__module__ == module:
            assert inspect.getdoc(thing), f"{module}.{name}"


@pytest.mark.parametrize("name", NAMES)
def test_public_names_are_documented_with_their_source(name):
    """Functions and classes have a docstring; those that implement a formula say where it comes from."""
    thing = NAMES[name]
    if not callable(thing) or not getattr(thing, "__module__", "").startswith("gegenflow"):
        return  # the symbols k, d, t and beta
    text = inspect.getdoc(thing)
    assert text
    if name.rpartition(".")[2] not in WITHOUT_A_SOURCE:
        assert SOURCE.search(text), f"{name} implements a formula and names no source"


def test_lists_of_exceptions_hold_no_stale_name():
    """Whatever is excused exists."""
    assert set(WITHOUT_EXAMPLES) <= set(MODULES)
    assert {name.rpartition(".")[2] for name in NAMES} >= WITHOUT_A_SOURCE


def test_the_module_table_is_the_tree():
    """As ``python tests/support/rooms.py`` writes it."""
    assert rooms.PAGE.read_text() == rooms.written()
