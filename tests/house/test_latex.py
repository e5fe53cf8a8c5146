"""What the package prints for TeX is compiled by TeX: every kind of table in one document."""

import re
import shutil
import subprocess
from functools import partial

import pytest
import sympy as sp

from gegenflow import theory as th
from gegenflow.numerics.validation.command.main import main

PDFLATEX = shutil.which("pdflatex")
KERNELS = ("relu(t)", "tanh(3*t)", "t**4 + 0.5*t", "where(t > 0, t**2, 0)", "exp(2*t)/(1 + t**2)", "abs(t) + erf(t)")
TABLES = [
    "critical --dim 2 3 8 --degree 1:4",
    "critical --dim 2 3 8 16 --degree 1:6 --layout wide --digits 10 --caption $\\beta_k(d)$ --label tab:critical",
    "critical --dim 2:12 --degree 1:8 --caption long",
    "critical --dim 2 3 --noise 1/2 --between 1 8 --digits 8",
    "critical --dim 2 3 --noise 1/2 --between 1 8 --digits 8 --layout wide",
    "growth --dim 2 --degree 1:4 --beta 1 1/3 50",
    "growth --dim 2 3 --degree 1:4 --beta 1 5 50 --digits 6 --layout wide --model sa",
    "growth --dim 3 --degree 1 --beta 3 --noise 0.25 --digits 5 --label tab:rates",
    "phase --dim 2 --beta 1 5 --tokens 2000 --digits 8",
    "phase --dim 2 --beta 2 3 --kernel 1+beta*t --digits 8",
    "laws",
]


@pytest.fixture(scope="module")
def printed():
    """Whatever the command prints in LaTeX, by its command line."""
    from contextlib import redirect_stdout
    from io import StringIO

    lines = [line.split() for line in TABLES]
    lines += [["growth", "--dim", "3", "--degree", "1:2", "--digits", "6", "--kernel", kernel] for kernel in KERNELS]
    found = {}
    for words in lines:
        with redirect_stdout(StringIO()) as out:
            assert main([*words, "--format", "latex"]) == 0
        found[" ".join(words)] = out.getvalue()
    return found


def compiled(document, folder):
    """The log of a run of pdflatex, which stops at the first error."""
    if PDFLATEX is None:
        pytest.skip("pdflatex is not installed")
    (folder / "paper.tex").write_text(document)
    run = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(run, cwd=folder, capture_output=True, text=True, timeout=200, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


def test_tables_compile_with_the_packages_that_they_name(printed, tmp_path):
    """All in one document, whose preamble is what their comments ask for, beside the mathematics of amsmath."""
    text = "\n\n".join(printed.values())
    asked = {name for line in re.findall(r"^% \\usepackage\{(.+)\}$", text, re.MULTILINE) for name in line.split(",")}
    assert asked == {"array", "booktabs", "longtable"}
    head = rf"\documentclass{{article}}\usepackage{{amsmath,amssymb,{','.join(sorted(asked))}}}"
    log = compiled(f"{head}\n\\begin{{document}}\n{text}\n\\end{{document}}\n", tmp_path)
    assert "Output written on paper.pdf" in log


DERIVATIONS = {
    "usa": lambda: th.linearize(),
    "noisy": lambda: th.linearize(model="sa", noise=1 / th.kappa),
    "kink": lambda: th.linearize("relu(t) + 1", 3, noise="0.1"),
    "polynomial": lambda: th.linearize("1 + beta*t + t**4/7 + t**6", 4),
    "layers": th.random_layers.derive_overlap,
    "contraction": lambda: th.random_layers.derive_contraction(7),
    "rectified": lambda: th.linearize("relu(t)"),
    "series": lambda: th.linearize(th.Kernel.series(lambda n: sp.Integer(2) ** n / sp.factorial(n)), 3),
    "integral": lambda: th.linearize("tanh(3*t) + 1", model="sa"),
    **{name: partial(th.derivations().__getitem__, name) for name in tuple(th.derivations())[1:6]},
}


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_derivation_is_a_page_that_compiles_and_fits(name, tmp_path):
    """As it stands, and no line runs out of the page; its list alone goes into a paper, its steps into a notebook."""
    derivation = DERIVATIONS[name]()
    paper = derivation.latex(document=True)
    assert derivation.latex() in paper
    log = compiled(paper, tmp_path)
    assert "Overfull" not in log
    steps = "\n\n".join(step._repr_latex_() for step in (derivation, *derivation.steps))
    head = r"\documentclass{article}\usepackage{amsmath,amssymb}"
    compiled(f"{head}\n\\begin{{document}}\n{steps}\n\\end{{document}}\n", tmp_path)


def test_the_command_prints_that_page(capsys, tmp_path):
    """With --noise and --kernel, on the terminal and in a file that ends in .tex; a wrong ending is refused."""
    line = "derive --dim 3 --noise 0.1 --kernel relu(t)"
    assert main([*line.split(), "--format", "latex", "--out", str(tmp_path / "a.tex")]) == 0
    page = th.linearize("relu(t)", 3, noise="0.1").latex(document=True)
    assert capsys.readouterr().out == (tmp_path / "a.tex").read_text() == f"{page}\n"


def test_a_wrong_table_does_not_compile(printed, tmp_path):
    """The test above can fail: a cell too many, an underscore that is not escaped."""
    good = next(iter(printed.values()))
    for bad in (good.replace("\n\\bottomrule", "& & & & \\\\\n\\bottomrule"), good.replace("error", "an_error")):
        document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{bad}\\end{{document}}"
        assert bad != good
        with pytest.raises(AssertionError):
            compiled(document, tmp_path)


def test_kernels_and_headings_are_typeset(printed):
    """By eye, once: what stands in the cells and above them."""
    kernels = [
        r"\max\left(0, t\right)",
        r"\tanh{\left(3 t \right)}",
        r"t^{4} + \frac{t}{2}",
        r"\begin{cases} t^{2}",
        r"\frac{e^{2 t}}{t^{2} + 1}",
        r"\operatorname{erf}{\left(t \right)}",
    ]
    for kernel, shown in zip(KERNELS, kernels, strict=True):
        assert shown in printed[f"growth --dim 3 --degree 1:2 --digits 6 --kernel {kernel}"]
    assert r"$d$ & $k$ & $\beta_{k}$ & error \\" in printed[TABLES[0]]
    assert r"$d$ & $\beta_{1}$ & $\beta_{2}$ &" in printed[TABLES[1]]
    assert "\\caption{$\\beta_k(d)$}\n\\label{tab:critical}\n" in printed[TABLES[1]]
    assert r"$d$ & $k$ & $k'$ & $\beta$ & error \\" in printed[TABLES[3]]
    assert r"$d$ & $\beta_{0,1}$ & $\beta_{1,2}$ & $\beta_{2,3}$" in printed[TABLES[4]]
    assert r"$\frac" not in printed[TABLES[5]]
    assert r"$1/3$ & USA" in printed[TABLES[5]]


def test_decimal_points_stand_below_each_other():
    """The digits before the point are the same number in every row, with those that are only there for the room."""
    table = th.Table(tuple({"a": number} for number in ("1.5", "-12.25", "120.0")))
    cells = [line for line in table.to("latex").splitlines() if line.startswith("$")]
    ahead = [re.sub(r"\\phantom|[{}$]", "", cell.split(".")[0]) for cell in cells]
    assert [sorted(letters.replace("1", "0").replace("2", "0")) for letters in ahead] == [["-", "0", "0", "0"]] * 3
