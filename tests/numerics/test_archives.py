"""Files of runs: what is written comes back, what was there is never lost, and nothing in a file is believed unseen."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import binary, data, integers, sampled_from

from gegenflow import numerics as nm
from gegenflow.numerics.flows.parts import Causal, Head, RandomLayers
from gegenflow.numerics.runs.archives import FORMAT
from gegenflow.numerics.runs.flows import flow_parameters
from gegenflow.numerics.tokens.arrays import MOST_BYTES
from gegenflow.numerics.tokens.files import interrupts_held, write_atomically
from gegenflow.numerics.tokens.refusals import Refused

DATA = Path(__file__).parent / "data"
START = np.array([[0.6, 0.8], [0.0, 1.0], [-0.8, 0.6]])


@pytest.fixture(scope="module")
def run():
    return nm.simulate(START, beta=1.0, t_end=0.5, save_at=[0.0, 0.5], observe=[nm.HarmonicAmplitude(2), nm.Energy()])


@pytest.fixture(scope="module")
def density_run():
    return nm.solve_density(lambda a: 1 + 0.1 * np.sin(a), beta=1.0, t_end=0.1, save_at=[0.1], observe=[nm.Entropy()])


def whole(run):
    """The run with everything that a file may hold."""
    more = {
        "memory": {**run.memory, "slope": np.arange(3.0)},
        "events": {"energy": np.zeros((1, 2))},
        "extra": {"later": [1, None]},
    }
    return replace(run, parameters={**run.parameters, "grid": np.array([[1.0, 2.0], [3.0, 4.0]])}, **more)


# what is written comes back


@pytest.mark.parametrize("kind", ["run", "density_run"])
def test_a_run_comes_back_equal_with_all_it_holds(kind, request, tmp_path):
    """Matrices stay arrays, facts of a later version stay facts; a second trip changes nothing either."""
    run = whole(request.getfixturevalue(kind))
    for number in range(2):
        run.save(tmp_path / f"{number}")
        back = nm.load(tmp_path / f"{number}")
        assert back == run
        assert back.seconds == run.seconds
        run = back
    assert back.parameters["grid"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert back.extra == {"later": [1, None]}
    assert back.memory["slope"].dtype == float
    with zipfile.ZipFile(tmp_path / "1") as archive:
        facts = json.loads(str(np.load(io.BytesIO(archive.read("facts.npy")))))
    assert facts["format"] == FORMAT
    assert "grid" not in facts["parameters"]


def test_files_without_a_format_number_still_load():
    """Five runs written by the version before: numbers printed then."""
    run = nm.load(DATA / "matrices.npz")
    assert run.tokens[0].tolist() == [0.699635841068943, -0.4411868615652118, 0.5620176537031477]
    assert run.observables["harmonic_power"][2, 1] == 0.20298678487852956
    assert run.parameters["query_key"].tolist() == [[1.0, 0.5, 0.0], [0.0, -1.0, 0.25], [0.0, 0.0, 2.0]]
    assert run.parameters["value"].tolist() == [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, -1.0]]
    assert (run.evaluations, run.parameters["layer_norm"], str(run.status)) == (89, "post", "reached t = 0.5")
    assert run.flow == nm.Flow(beta=1.5, query_key=run.parameters["query_key"], value=run.parameters["value"])
    run = nm.load(DATA / "radii.npz")
    assert run.flow == nm.Flow(beta=2, model="sa", layer_norm="pre")
    assert run.radii.tolist() == [1.4505359751796882, 2.431149367255208, 0.9384573669778901]
    assert run.observables["harmonic_amplitude"][0, 1] == 0.510137577638323 - 0.13155574785833307j
    assert (run.parameters["layer_norm"], run.parameters["query_key"]) == ("pre", None)
    assert "layer_norm pre" in repr(run)
    run = nm.load(DATA / "kernel_and_noise.npz")
    assert run.tokens[2].tolist() == [0.7890217927641746, 0.6143652094179879]
    assert (run.parameters["kernel"], run.parameters["noise"], run.field_error) == ("tanh", 0.1, None)
    assert run.flow is None
    run = nm.load(DATA / "density.npz")
    assert run.density.coefficients[5] == 0.0782552696664415
    assert run.resolution.tolist() == [16, 24, 24]
    assert run.flow == nm.Flow(beta=2, noise=0.05)
    assert run.observables["entropy"].tolist() == [0.0025031354657699648, 0.002769629288112598, 0.003064694453494072]
    assert [density.max_degree for density in run.densities] == [16, 24, 24]
    run = nm.load(DATA / "zonal.npz")
    assert (run.density.dim, run.density.coefficients[0], run.evaluations) == (4, 0.05544362904278191, 25)


MATRIX = [[1.0, 2.0], [3.0, -4.0]]
FLOWS = {
    "plain": nm.Flow(beta=5),
    "matrices": nm.Flow(beta=-1, query_key=MATRIX, value=np.transpose(MATRIX), noise=0.1, model="sa"),
    "heads": nm.Flow(heads=[Head(beta=1, value=MATRIX), Head(beta=2, query_key=MATRIX, value=MATRIX)], model="sa"),
    "parts": nm.Flow(beta=1, causal=Causal(0.5, own=False), random_layers=RandomLayers("tanh", width=3)),
}


def moved_by(flow, run):
    """As if another flow had moved it; what a stepper remembers is left out."""
    return replace(run, flow=flow, parameters={**run.parameters, **flow_parameters(flow)}, memory={})


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("kind", ["run", "density_run"])
def test_the_flow_of_a_run_comes_back(kind, name, request, tmp_path):
    """Every part of it, matrices of heads included; the arrays are arrays in the file."""
    run = moved_by(FLOWS[name], request.getfixturevalue(kind))
    run.save(tmp_path / "run")
    assert nm.load(tmp_path / "run") == run
    assert nm.load(tmp_path / "run").flow == FLOWS[name]
    with zipfile.ZipFile(tmp_path / "run") as archive:
        held = [member for member in archive.namelist() if member.startswith("flow:")]
    assert len(held) == {"matrices": 2, "heads": 3}.get(name, 0)


@pytest.mark.parametrize("flow", [nm.Flow(kernel=np.tanh), nm.Flow(heads=[Head(beta=1), Head(kernel=np.tanh)])])
def test_a_kernel_that_is_a_function_is_not_saved(flow, run, tmp_path):
    """The run comes back without a flow, and with the text of its heads."""
    moved = moved_by(flow, run)
    moved.save(tmp_path / "run")
    left = {name: repr(value) if name == "heads" else value for name, value in moved.parameters.items()}
    assert nm.load(tmp_path / "run") == replace(moved, flow=None, parameters=left)


def test_runs_of_solvers_have_their_flow(run, density_run):
    assert run.flow == density_run.flow == nm.Flow(beta=1)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"beta": 1, "gravity": 9}, "its Flow is none that this version knows"),
        ([], "its Flow is none that this version knows"),
        ({"beta": "x"}, "beta x: it must be a number"),
        ({"beta": 1, "heads": [{"beta": 1}]}, "beta: each of the heads has its own"),
        ({"heads": [{"beta": 1, "mood": 1}]}, "its Head is none that this version knows"),
        ({"beta": 1, "random_layers": {}}, "activation: a network needs one"),
        ({"beta": 1, "random_layers": {"gain": 1}}, "its RandomLayers is none that this version knows"),
        ({"beta": 1, "value": [[1.0]]}, "value: it has shape .1, 1., tokens of dim 2 need"),
    ],
)
def test_a_flow_that_is_none_is_refused(told, message, run, tmp_path):
    facts, members = contents(run, tmp_path)
    with pytest.raises(ValueError, match=f"forged.npz is not a saved run: .*{message}"):
        nm.load(forged(facts | {"flow": told}, members, tmp_path))


def test_what_is_no_array_of_numbers_is_not_saved(run, tmp_path):
    """An observable of text would come back as nothing; the file that is there stays."""
    run.save(tmp_path / "run")
    odd = replace(run, observables={"names": np.array([None, "x"], dtype=object)})
    with pytest.raises(Refused, match="observable:names: it has dtype object"):
        odd.save(tmp_path / "run")
    assert nm.load(tmp_path / "run") == run
    assert os.listdir(tmp_path) == ["run"]


# what was there is never lost

SAVE_OVER_AND_OVER = """
import sys
from gegenflow import numerics as nm
import numpy as np
run = nm.load(sys.argv[1])
big = __import__("dataclasses").replace(run, memory={**run.memory, "noise": np.random.default_rng(0).random(200_000)})
print("ready", flush=True)
while True:
    big.save(sys.argv[2])
"""


def limited(size):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_loses_nothing(run, tmp_path):
    """No more than 100 kB may be written: the message has the path, the old file is whole, nothing is left over."""
    run.save(tmp_path / "source")
    run.save(tmp_path / "run.npz")
    before = (tmp_path / "run.npz").read_bytes()
    command = [sys.executable, "-c", SAVE_OVER_AND_OVER, str(tmp_path / "source"), str(tmp_path / "run.npz")]
    answer = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited(100_000), timeout=120)
    assert answer.returncode == 1
    assert f"File too large: '{tmp_path / 'run.npz'}'" in answer.stderr
    assert (tmp_path / "run.npz").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["run.npz", "source"]


def test_a_kill_at_any_moment_loses_nothing(run, tmp_path):
    """SIGKILL in the midst of saves, which is where the process spends its time: the file at the path is a run."""
    run.save(tmp_path / "source")
    run.save(tmp_path / "run.npz")
    command = [sys.executable, "-c", SAVE_OVER_AND_OVER, str(tmp_path / "source"), str(tmp_path / "run.npz")]
    for wait in (0.01, 0.05, 0.123):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(wait)
            process.kill()
        assert np.array_equal(nm.load(tmp_path / "run.npz").tokens, run.tokens)


def test_two_processes_that_save_to_one_path_leave_one_whole_file(run, tmp_path):
    """Every look at the path, while both write and after they are stopped, finds a run."""
    run.save(tmp_path / "source")
    run.save(tmp_path / "run.npz")
    command = [sys.executable, "-c", SAVE_OVER_AND_OVER, str(tmp_path / "source"), str(tmp_path / "run.npz")]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
        for _ in range(20):
            assert np.array_equal(nm.load(tmp_path / "run.npz").tokens, run.tokens)
        assert [writer.poll() for writer in writers] == [None, None]
    finally:
        for writer in writers:
            writer.terminate()
            writer.communicate()
    assert np.array_equal(nm.load(tmp_path / "run.npz").tokens, run.tokens)


def test_an_interrupt_waits_until_the_file_is_in_place(tmp_path):
    """It comes in the midst of writing, several times over, and is raised once all is there."""
    target = tmp_path / "file"

    def write(file):
        file.write(b"first ")
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        file.write(b"second")

    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, write)
    assert target.read_text() == "first second"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with interrupts_held():
        pass
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("problem", [RuntimeError("no"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_goes_wrong_while_writing_leaves_no_trace(problem, tmp_path):
    """The old content, its permissions, no other file; an OSError names the path and keeps its number."""
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o640)

    def write(file):
        file.write(b"new")
        raise problem

    with pytest.raises(type(problem)) as raised:
        write_atomically(target, write)
    if isinstance(problem, OSError):
        assert str(raised.value) == f"[Errno 28] No space left on device: '{target}'"
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]
    write_atomically(target, lambda file: file.write(b"new"))
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_links_are_followed_and_devices_are_written_to(tmp_path):
    """A link stays a link; /dev/null stays a device."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", lambda file: file.write(b"through"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "through"
    write_atomically(os.devnull, lambda file: file.write(b"gone"))
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x" * 300, OSError), ("missing/run.npz", FileNotFoundError), ("folder", IsADirectoryError), ("a\0b", ValueError)],
)
def test_a_path_that_cannot_be_written_or_read_is_named(name, kind, run, tmp_path):
    """One sentence with the path, whichever way."""
    (tmp_path / "folder").mkdir()
    path = f"{tmp_path}/{name}"
    for call in (run.save, nm.load):
        with pytest.raises(kind) as raised:
            call(path)
        assert name.split("\0")[0] in str(raised.value)
    assert os.listdir(tmp_path) == ["folder"]
    for path in ("", None, 3):
        with pytest.raises(Refused, match=r"^path"):
            run.save(path)
        with pytest.raises(Refused, match=r"^path"):
            nm.load(path)


# nothing is believed unseen


def contents(run, tmp_path):
    """The members of a saved run, to be changed."""
    run.save(tmp_path / "original")
    with np.load(tmp_path / "original") as archive:
        members = {name: archive[name] for name in archive.files}
    return json.loads(str(members.pop("facts"))), members


def forged(facts, members, tmp_path):
    path = tmp_path / "forged.npz"
    np.savez_compressed(path, facts=np.array(facts if isinstance(facts, str) else json.dumps(facts)), **members)
    return path


def loaded_or_refused(path):
    """The run, which prints, or None where it was refused in the one way that there is."""
    try:
        back = nm.load(path)
    except ValueError as error:
        message = str(error)
    else:
        assert len(repr(back).splitlines()) <= 12
        assert back._repr_html_().startswith("<table>")
        return back
    assert message.startswith(f"{path} is not a saved run: ")
    return None


WRONG_ARRAYS = [
    ("tokens", np.array([["a", "b"]] * 3), "dtype <U1"),
    ("tokens", START + 1j, "tokens is not of finite real numbers"),
    ("tokens", START * np.array([[1], [np.nan], [1]]), "tokens is not of finite"),
    ("tokens", START[0], r"tokens has shape \(2,\)"),
    ("tokens", 2 * START, "row 0 has norm 2"),
    ("tokens", START[:2], r"radii has shape \(3,\), expected \(n\)"),
    ("t", np.array([0.5, 0.0]), "times decrease"),
    ("t", np.array([0.0, 0.2, 0.5]), r"trajectories has shape \(2, 3, 2\)"),
    ("t", np.array([0.0, np.inf]), "t is not of finite"),
    ("radii", np.array([1.0, 1.0, -1.0]), "radii are not all >= 0"),
    ("weights", np.array([0.5, 0.25, 0.5]), "weights: they sum to 1.25"),
    ("merges", np.zeros((2, 3)), r"merges has shape \(2, 3\)"),
    ("trajectories", np.zeros((2, 5, 2)), "follow 5 of 3 tokens"),
    ("observable:energy", np.zeros(3), r"observable energy has shape \(3,\) at 2 times"),
    ("observable:energy", np.float64(1), r"observable energy has shape \(\)"),
]


@pytest.mark.parametrize(("name", "array", "message"), WRONG_ARRAYS)
def test_arrays_that_do_not_go_together_are_refused(name, array, message, run, tmp_path):
    facts, members = contents(run, tmp_path)
    with pytest.raises(ValueError, match=f"forged.npz is not a saved run: .*{message}"):
        nm.load(forged(facts, members | {name: array}, tmp_path))


@pytest.mark.parametrize("name", ["t", "tokens", "radii", "trajectories", "weights", "merges"])
def test_a_missing_array_is_named(name, run, tmp_path):
    facts, members = contents(run, tmp_path)
    members.pop(name)
    with pytest.raises(ValueError, match=f"it lacks {name}"):
        nm.load(forged(facts, members, tmp_path))


ODD = [None, "x", -1, 1.5, True, [], {}, {"ok": 1}, 10**400, float("nan")]


@pytest.mark.parametrize(
    "name", ["status", "evaluations", "parameters", "version", "seconds", "error", "format", "flow"]
)
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_facts_of_another_kind_are_refused_or_harmless(name, odd, run, tmp_path):
    """A ValueError with the path, or a run that prints and can be saved again."""
    facts, members = contents(run, tmp_path)
    back = loaded_or_refused(forged(facts | {name: odd}, members, tmp_path))
    if back is not None:
        back.save(tmp_path / "again")
        assert nm.load(tmp_path / "again") == back


@pytest.mark.parametrize("name", ["density", "dim", "reached"])
@pytest.mark.parametrize("odd", [*ODD, "ZonalDensity", "SphereDensity", 3], ids=str)
def test_facts_of_a_density_are_refused_or_harmless(name, odd, density_run, tmp_path):
    facts, members = contents(density_run, tmp_path)
    back = loaded_or_refused(forged(facts | {name: odd}, members, tmp_path))
    if back is not None:
        assert back.densities


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("resolution", np.array([99]), "resolution is not in whole numbers from 0 to"),
        ("resolution", np.array([1.0]), "resolution is not in whole numbers"),
        ("last", np.zeros(3), r"coefficients: they have shape \(3,\), expected \(2 K,\)"),
        ("minimum", np.zeros(2), "minimum has shape"),
    ],
)
def test_arrays_of_a_density_that_do_not_go_together_are_refused(name, array, message, density_run, tmp_path):
    facts, members = contents(density_run, tmp_path)
    with pytest.raises(ValueError, match=message):
        nm.load(forged(facts, members | {name: array}, tmp_path))


def test_a_newer_format_says_so_and_facts_beside_the_known_are_kept(run, tmp_path):
    """One fact more is no reason to refuse; another format is."""
    facts, members = contents(run, tmp_path)
    back = nm.load(forged(facts | {"mood": "good"}, members | {"mood": np.ones(1)}, tmp_path))
    assert back.extra == {"mood": "good"}
    assert replace(back, extra={}) == run
    with pytest.raises(ValueError, match=f"it is of format {FORMAT + 1}, this version reads up to {FORMAT}"):
        nm.load(forged(facts | {"format": FORMAT + 1}, members, tmp_path))


def test_a_bomb_is_not_inflated(run, tmp_path):
    """64 megabytes of zeros in 64 kilobytes: refused by its headers, in no memory; by default from a gigabyte on."""
    facts, members = contents(run, tmp_path)
    path = forged(facts, members, tmp_path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**23,)})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("memory:bomb.npy", "w") as file:
            file.write(header.getvalue())
            file.write(bytes(2**26))
        archive.writestr("other:bomb.npy", "not looked at")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**25, hard))
    try:
        with pytest.raises(ValueError, match=r"its arrays take 671\d{5} bytes, over max_bytes = 60000000"):
            nm.load(path, max_bytes=60_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert nm.load(path).memory["bomb"].shape == (2**23,)
    assert MOST_BYTES == 2**30
    with pytest.raises(ValueError, match="over max_bytes = 100"):
        nm.load(forged(facts, members, tmp_path), max_bytes=100)


def test_a_header_that_promises_more_than_is_there_is_refused(run, tmp_path):
    """The shape of an array against the bytes of its member, before anything is made of that size."""
    facts, members = contents(run, tmp_path)
    path = forged(facts, members, tmp_path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("memory:promise.npy", header.getvalue() + bytes(8))
    with pytest.raises(ValueError, match=r"memory:promise: it has 136 bytes, not those of shape"):
        nm.load(path)


@given(case=data(), kind=sampled_from(["run", "density_run"]))
def test_mutated_files_are_refused_in_one_way(case, kind, request, tmp_path_factory):
    """Bytes changed, cut off or put in anywhere: a run, or a ValueError with the path."""
    folder = tmp_path_factory.mktemp("mutated")
    request.getfixturevalue(kind).save(folder / "run")
    content = bytearray((folder / "run").read_bytes())
    for _ in range(case.draw(integers(1, 3))):
        place = case.draw(integers(0, len(content) - 1))
        what = case.draw(sampled_from(["change", "cut", "insert"]))
        if what == "change":
            content[place] = case.draw(integers(0, 255))
        elif what == "insert":
            content[place:place] = case.draw(binary(max_size=8))
        elif len(content) > 10:
            del content[place : place + case.draw(integers(1, 50))]
    (folder / "run").write_bytes(content)
    loaded_or_refused(folder / "run")


NO_FACTS = ["[" * 100_000, "{}", "[]", "nan", "1" * 5000, '{"status": {}}', "", '{"format": 1e400}', '"\\ud800"']


@pytest.mark.parametrize("text", NO_FACTS, ids=range(len(NO_FACTS)))
def test_facts_that_are_no_facts_are_refused(text, run, tmp_path):
    """Nested beyond bounds, empty, not JSON, numbers beyond all range."""
    _, members = contents(run, tmp_path)
    assert loaded_or_refused(forged(text, members, tmp_path)) is None
