"""The driver with every stepper: events where they happen, runs that go on, interrupts, checkpoints, tracked tokens."""

import os
import signal
import subprocess
import sys
import textwrap
import time as clock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import booleans, floats, integers, sampled_from
from llvmlite.ir import instructions
from numba import njit
from support.signals import interrupted_after

from gegenflow import numerics as nm
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.integrators.interrupts import listening
from gegenflow.numerics.integrators.progress import _Bar, progress_bar
from gegenflow.numerics.tokens.arguments import MOST_TRACKED_NUMBERS, check_track

SETTINGS = {
    "few": {"beta": 2.0},
    "adaptive": {"kernel": np.tanh},
    "fifth order": {"beta": 2.0, "order": 5},
    "angles": {"beta": 2.0, "method": "circle"},
    "stream": {"beta": 2.0, "layer_norm": "pre"},
    "peri": {"beta": 2.0, "layer_norm": "peri"},
    "merging": {"beta": 3.0, "model": "sa", "merge": 1e-10},
    "noise": {"beta": 2.0, "noise": 0.05, "rng": 3},
}


def pair(half):
    return np.array([[np.cos(half), np.sin(half)], [np.cos(half), -np.sin(half)]])


class Height:
    """The first coordinate of the first token."""

    name = "height"

    def __call__(self, tokens, weights, flow):
        return tokens[0, 0]


@settings(max_examples=20)
@given(half=floats(0.3, 1.5), share=floats(0.05, 0.95), merge=booleans(), rtol=sampled_from([1e-8, 1e-11]))
def test_an_event_is_where_the_closed_form_says(half, share, merge, rtol):
    """Two tokens at beta = 0: tan(half gap) decays as e^-t, and |mean|^2 is cos^2 of it."""
    level = np.cos(share * half) ** 2
    expected = np.log(np.tan(half) / np.tan(share * half))
    crossing = nm.Crossing(nm.HarmonicPower(1), level, index=1, rising=True)
    options = {"beta": 0.0, "t_end": 10.0, "rtol": rtol, "atol": 0.0, "merge": 0.01 * rtol if merge else None}
    run = nm.simulate(pair(half), stop_when=crossing, **options)
    assert run.status
    assert str(run.status).startswith(f"stopped at t = {run.events['time'][0]:g} where harmonic_power 1 is")
    assert run.events["time"] == pytest.approx(expected, abs=100 * rtol / np.sin(2 * share * half))
    assert run.events["value"] == pytest.approx(level, rel=1e-13)
    assert np.array_equal(run.events["state"][0], run.tokens)
    assert run.t[-1] <= run.events["time"][0] < run.t[-1] + 0.1
    whole = nm.simulate(pair(half), record_when=[crossing], **options)
    assert np.array_equal(whole.events["time"], run.events["time"])
    assert str(whole.status) == "reached t = 10"


@pytest.mark.parametrize("rising", [True, False, None])
def test_every_crossing_of_a_turning_token_is_recorded_by_its_direction(rising):
    """Height cos t: from above at pi/2 + 2 pi k, from below at 3 pi/2 + 2 pi k."""

    def turn(x, out):
        np.stack([-x[:, 1], x[:, 0]], axis=1, out=out)

    crossing = nm.Crossing(lambda x: x[0, 0], 0.0, rising=rising)
    end = nm.integrate(turn, [[1.0, 0.0]], t_end=20.0, record_when=crossing, rtol=1e-11, atol=0.0)
    all_of_them = np.pi / 2 + np.pi * np.arange(6)
    wanted = all_of_them[{True: slice(1, None, 2), False: slice(0, None, 2), None: slice(None)}[rising]]
    assert np.array([event.time for event in end.events]) == pytest.approx(wanted, abs=1e-9)
    assert [event.rising for event in end.events] == [bool(k % 2) for k in range(6) if rising in (None, bool(k % 2))]
    assert end.reached == 20.0


@pytest.mark.parametrize("name", SETTINGS)
def test_an_event_is_found_with_every_stepper(name):
    """The observable at the event is the level, the state lies on the path, and the run ends there."""
    start, options = nm.uniform(10, 2, rng=4), SETTINGS[name] | {"t_end": 0.5}
    whole = nm.simulate(start, observe=[Height()], **options)
    heights = whole.observables["height"]
    level = 0.5 * (heights[0] + heights[60])
    run = nm.simulate(
        start, stop_when=nm.Crossing(Height(), level), observe=[nm.Energy()] * (name != "adaptive"), **options
    )
    (time,) = run.events["time"]
    assert run.tokens[0, 0] == pytest.approx(level, abs=1e-10)
    before, after = heights[whole.t < time], heights[whole.t > time]
    assert (before[-1] - level) * (after[0] - level) <= 0
    assert run.t[-1] <= time
    assert run.status


def test_an_event_of_a_density():
    """The growth of one degree, log-linear at first: the crossing against the run that is saved there."""
    start, level = lambda angle: 1 + 0.01 * np.cos(2 * angle), 2e-4
    crossing = nm.Crossing(nm.HarmonicPower(2), level, index=2)
    run = nm.solve_density(start, beta=3.0, t_end=1.0, stop_when=crossing)
    saved = nm.solve_density(start, beta=3.0, t_end=run.reached, save_at=[run.reached], observe=[nm.HarmonicPower(2)])
    assert saved.observables["harmonic_power"][0, 2] == pytest.approx(level, rel=1e-7)
    assert run.status
    assert run.reached == run.events["time"][0] < 1.0


def test_what_is_no_crossing_is_refused():
    """By name, before anything moves."""
    for arguments, message in (
        ({"stop_when": 3.0}, "stop_when"),
        ({"record_when": [nm.Energy()]}, "record_when"),
        ({"stop_when": nm.Crossing(nm.HarmonicPower(2), 0.5)}, "stop_when of shape"),
        ({"stop_when": nm.Crossing(nm.HarmonicPower(2), 0.5, index=7)}, "stop_when index 7"),
    ):
        with pytest.raises(nm.Refused, match=message):
            nm.simulate(np.eye(3), beta=1.0, t_end=1.0, **arguments)
    for arguments, name in (
        ((nm.Energy, 1.0), "observable"),
        ((nm.Energy(), np.nan), "level"),
        ((3, 1.0), "observable"),
    ):
        with pytest.raises(nm.Refused, match=name):
            nm.Crossing(*arguments)


@settings(max_examples=20)
@given(name=sampled_from(sorted(SETTINGS)), cut=floats(0.05, 0.95), n=sampled_from([6, 250]), rng=integers(0, 9))
def test_a_run_that_goes_on_is_the_run_that_never_ended(tmp_path_factory, name, cut, n, rng):
    """From memory and from a file: bit for bit with fixed steps, to the tolerance with adaptive ones."""
    start, options = nm.uniform(n, 2, rng=rng), SETTINGS[name] | {"observe": [nm.HarmonicPower(2)]}
    whole = nm.simulate(start, t_end=1.0, **options)
    half = nm.simulate(start, t_end=cut, **options)
    path = tmp_path_factory.mktemp("runs") / "half.npz"
    half.save(path)
    times = np.linspace(cut, 1.0, 7)[1:]
    longer = half.extend(1.0, save_at=times)
    back = nm.load(path).extend(1.0, save_at=times, flow=half.flow)
    assert longer == back
    assert np.array_equal(longer.t, [*half.t, *times])
    assert len(longer.observables["harmonic_power"]) == len(longer.trajectories) == len(longer.t)
    assert longer.evaluations > half.evaluations
    assert str(longer.status) == "reached t = 1"
    assert longer.parameters["t_end"] == 1.0
    if name == "noise":
        assert np.array_equal(longer.tokens, whole.tokens)
        same = nm.simulate(start, t_end=1.0, save_at=times, **options)
        assert np.array_equal(longer.trajectories[-6:], same.trajectories)
    else:
        assert np.abs(longer.tokens - whole.tokens).max() < 1e-6
        assert np.abs(longer.radii - whole.radii).max() < 1e-6


def test_merged_tokens_stay_together_when_a_run_goes_on():
    """Times of merging and clusters left are those of the run that never ended."""
    start, options = nm.uniform(12, 3, rng=1), {"beta": 4.0, "model": "sa", "merge": 1e-10, "save_at": []}
    whole = nm.simulate(start, t_end=1e6, **options)
    middle = float(whole.merges[len(whole.merges) // 2, 0]) + 0.1
    longer = nm.simulate(start, t_end=middle, **options).extend(1e6, save_at=[])
    assert longer.merges[:, 1].tolist() == whole.merges[:, 1].tolist()
    np.testing.assert_allclose(longer.merges[:, 0], whole.merges[:, 0], rtol=1e-5)


def test_a_density_that_goes_on_is_the_density_that_never_ended(tmp_path):
    """Memory, clock and the observables that a file names."""
    start = lambda angle: 1 + 0.2 * np.cos(angle)  # noqa: E731
    options = {"beta": 2.0, "noise": 0.05, "observe": [nm.Energy(), nm.HarmonicPower(2)]}
    whole = nm.solve_density(start, t_end=0.4, **options)
    nm.solve_density(start, t_end=0.1, **options).save(tmp_path / "run.npz")
    longer = nm.load(tmp_path / "run.npz").extend(0.4, save_at=[0.2, 0.4])
    assert len(longer.t) == len(longer.coefficients) == len(longer.observables["energy"]) == 103
    top = max(whole.density.max_degree, longer.density.max_degree)
    apart = longer.density.resized(top).coefficients - whole.density.resized(top).coefficients
    assert np.linalg.norm(apart) < 1e-8


def test_a_run_that_cannot_go_on_says_why():
    """An earlier end, another flow, a flow or observables that no file holds."""
    run = nm.simulate(np.eye(3), beta=1.0, t_end=1.0, observe=[Height()])
    for t_end, options, message in (
        (0.5, {"observe": [Height()]}, "t_end 0.5"),
        (2.0, {"flow": nm.Flow(beta=2)}, "flow"),
        (2.0, {}, "observe: the run has height"),
        (2.0, {"observe": [nm.Energy()]}, "observe energy, height"),
    ):
        with pytest.raises(nm.Refused, match=message):
            run.extend(t_end, **options)
    assert len(run.extend(2.0, observe=[Height()]).observables["height"]) == 201


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("trial", range(2))
def test_an_interrupt_at_a_random_moment_keeps_the_run_and_it_goes_on(name, trial):
    """Real signals: times, paths and observables agree, and the run goes on from there to where it would have been."""
    start, options = nm.uniform(60, 2, rng=1), SETTINGS[name] | {"observe": [nm.HarmonicPower(2)]}
    if name != "noise":
        options |= {"rtol": 1e-12, "atol": 0.0}
    if name == "merging":
        options |= {"merge": 1e-13}
    nm.simulate(start, t_end=0.01, **options)  # compiled
    delay = np.random.default_rng(trial).uniform(0.01, 0.2)
    with pytest.raises(KeyboardInterrupt) as stop, interrupted_after(delay):
        nm.simulate(start, t_end=1e5, save_at=np.arange(0, 1e5, 0.01), **options)
    run = getattr(stop.value, "run", None)
    if run is None:  # before the first step, in the choice of the sums
        return
    assert not run.status
    assert "interrupted at t = " in str(run.status)
    count, reached = len(run.t), float(run.memory["time"])
    assert count == len(run.trajectories) == len(run.observables["harmonic_power"])
    assert np.array_equal(run.t, 0.01 * np.arange(count)) or np.allclose(run.t, 0.01 * np.arange(count), rtol=1e-15)
    assert (run.t <= reached).all()  # none yet, if it came before the first look
    on = run.extend(reached + 0.3, save_at=[])
    assert on.status
    assert np.abs(np.linalg.norm(on.tokens, axis=1) - 1).max() < 1e-13


def run_script(script, *, ended_by=None, after=0.0, **environment):
    """A fresh interpreter with Python's own handler of SIGINT; what it printed."""
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + textwrap.dedent(script)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    if ended_by is not None:
        assert process.stdout.readline() == "ready\n"
        clock.sleep(after)
        process.send_signal(ended_by)
    return process.communicate(timeout=200)


@pytest.mark.parametrize("after", [1.0, 3.0])
def test_an_interrupt_while_numba_compiles_is_heard_and_keeps_the_start(tmp_path, after):
    """An empty cache: nothing has moved, no traceback is printed, and the run can go on."""
    out, err = run_script(
        """
        import numpy as np
        from gegenflow import numerics as nm
        nm.uniform(3, 3, rng=0)
        import gegenflow.numerics.runs.particles
        print("ready", flush=True)
        try:
            nm.simulate(nm.uniform(20, 3, rng=0), beta=1.0, t_end=1e9)
        except KeyboardInterrupt as stop:
            print(stop.run.status, np.allclose(stop.run.tokens, nm.uniform(20, 3, rng=0)))
        """,
        ended_by=signal.SIGINT,
        after=after,
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert out == "interrupted at t = 0 of 1e+09; everything up to there is kept True\n"
    assert "Traceback" not in err


def test_an_interrupt_in_the_code_of_the_compiler_is_heard_at_once(monkeypatch):
    """Where Python builds or hands over what LLVM compiles, most of the time: it waited for a moment elsewhere."""
    seen = []

    def impatient(self, *args, **kwargs):
        seen.append(sys._getframe(1).f_code.co_filename)
        signal.raise_signal(signal.SIGINT)
        return made(self, *args, **kwargs)

    made = instructions.LoadInstr.__init__
    monkeypatch.setattr(instructions.LoadInstr, "__init__", impatient)
    with pytest.raises(KeyboardInterrupt), listening():
        njit(lambda numbers: numbers[0] + 1.0)(np.ones(2))
    (where,) = seen
    assert "llvmlite" in where


def test_a_second_interrupt_loses_nothing(tmp_path):
    """Signals every millisecond from the first on, while the run is put together and saved."""
    out, err = run_script(
        f"""
        import os, signal, threading, time
        import numpy as np
        from gegenflow import numerics as nm
        start = nm.uniform(50, 3, rng=0)
        nm.simulate(start, beta=1.0, t_end=0.1)
        def storm():
            time.sleep(0.3)
            while not done:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.001)
        done = []
        threading.Thread(target=storm, daemon=True).start()
        try:
            try:
                path = {str(tmp_path / "run.npz")!r}
                nm.simulate(start, beta=1.0, model="sa", t_end=1e12, checkpoint=path, every=1e9)
            finally:
                done.append(1)
        except KeyboardInterrupt as stop:
            while not hasattr(stop, "run"):  # one more came on the way out of the first
                stop = stop.__context__
            run = stop.run
        print(run.status.ok, run == nm.load({str(tmp_path / "run.npz")!r}))
        """
    )
    assert (out, err) == ("False True\n", "")


def test_checkpoints_are_whole_runs_that_go_on(tmp_path):
    """A process that is killed: what it left is a run on its way, which reaches the end of one that was not."""
    path = tmp_path / "run.npz"
    script = f"""
        from gegenflow import numerics as nm
        class Slow:
            name = "slow"
            def __call__(self, tokens, weights, flow):
                import time; time.sleep(0.01)
                return 1.0
        print("ready", flush=True)
        nm.simulate(nm.uniform(20, 2, rng=0), beta=1.0, t_end=100.0, save_at=[0.2 * k for k in range(501)],
                    observe=[Slow()], checkpoint={str(path)!r}, every=0.05)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    deadline = clock.perf_counter() + 150
    while not path.exists() and clock.perf_counter() < deadline:
        clock.sleep(0.02)
    process.kill()
    process.wait()
    process.stdout.close()

    class Slow:
        name = "slow"

        def __call__(self, tokens, weights, flow):
            return 1.0

    run = nm.load(path)
    assert "on its way at t = " in str(run.status) or str(run.status) == "reached t = 100"
    assert len(run.t) == len(run.observables["slow"])
    whole = nm.simulate(nm.uniform(20, 2, rng=0), beta=1.0, t_end=100.0, save_at=[])
    longer = run.extend(100.0, observe=[Slow()], save_at=[])
    assert np.abs(longer.tokens - whole.tokens).max() < 1e-6


def test_tracked_tokens_are_evenly_spaced_or_those_asked_for():
    """Of a lattice of 1000 the paths go all the way round; by number and by index."""
    lattice = nm.lattice(1000)
    run = nm.simulate(lattice, beta=1.0, t_end=0.0)
    angle = np.sort(np.arctan2(run.trajectories[0, :, 1], run.trajectories[0, :, 0]))
    assert len(angle) == 256
    assert np.diff(angle).max() < 2 * 2 * np.pi / 256
    for track, indices in ((4, [0, 250, 500, 750]), ([7, 3], [7, 3]), ([], []), (0, [])):
        run = nm.simulate(lattice, beta=1.0, t_end=0.0, track=track)
        assert np.abs(run.trajectories[0] - lattice[indices]).max(initial=0.0) < 1e-15
        assert run.trajectories.shape == (1, len(indices), 2)
    for track in (1001, [1000], [1, 1], [0.5], [[1]]):
        with pytest.raises(nm.Refused, match="track"):
            nm.simulate(lattice, beta=1.0, t_end=0.0, track=track)


def test_paths_that_no_memory_holds_are_refused_with_their_size():
    """A million tokens at 10 million times, 2e13 numbers of 8 bytes; those tracked by default are as many as fit."""
    million, times = nm.uniform(10**6, 2, rng=0), np.linspace(0.0, 1.0, 100_000)
    with pytest.raises(nm.Refused, match=r"1,000,000 paths at 10,000,000 times take 1\.6e\+05 GB, this machine has"):
        nm.simulate(million, beta=5.0, t_end=1.0, save_at=np.repeat(times, 100), track=10**6)
    assert len(check_track(None, 10**6, 2, len(times))) * 2 * len(times) <= MOST_TRACKED_NUMBERS


def test_times_may_repeat_and_lie_one_rounding_beyond():
    """save_at=np.arange(4) * 0.1 up to 0.3, and the same time twice."""
    run = nm.simulate(np.eye(3), beta=1.0, t_end=0.3, save_at=np.arange(4) * 0.1)
    assert run.t[-1] == 0.3
    assert len(nm.simulate(np.eye(3), beta=1.0, t_end=0.3, save_at=[0.1, 0.1]).t) == 2


def test_rounding_alone_moves_nothing_under_peri_layer_norm():
    """A lattice at beta = 0 has no mean: the run says so and stays; one that has moves at unit speed."""
    run = nm.simulate(nm.lattice(8), beta=0.0, layer_norm="peri", t_end=1.0)
    assert not run.status
    assert "the output of attention for token 0 is zero but for rounding" in str(run.status)
    assert np.abs(run.tokens - nm.lattice(8)).max() < 1e-15
    moved = nm.simulate(np.eye(2), beta=0.0, layer_norm="peri", t_end=1.0)
    assert moved.status


def test_the_bar_says_compiling_and_gives_the_time_in_sensible_digits(monkeypatch, capsys):
    """As the compiler of numba starts and ends, on a terminal; nothing in a pipe, and nothing unasked."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress_bar(True, 0.0, 0.5, "sorting") as bar:
        assert isinstance(bar, _Bar)
        assert str(bar.bar).startswith("sorting,")
        bar.show(0.06949861915254428)
        assert "t = 0.0695 of 0.5" in str(bar.bar)
        bar.on_start(None)
        assert str(bar.bar).startswith("compiling")
        bar.on_end(None)
        assert str(bar.bar).startswith("sorting,")
    for wanted, terminal in ((False, True), (True, False)):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal, raising=False)
        capsys.readouterr()
        with progress_bar(wanted, 0.0, 1.0) as bar:
            bar.show(0.5)
        assert capsys.readouterr().err == ""


def test_a_status_is_true_where_it_is_ok():
    """So that "if run.status" reads as it should."""
    assert Status(True, "reached")
    assert not Status(False, "stopped")


def test_integrate_follows_a_flow():
    """The path of a flow by its velocity alone is that of simulate."""
    start = nm.uniform(8, 3, rng=0)
    flow = nm.Flow(beta=2, query_key=np.diag([1.0, 0.5, 2.0]), value=-np.eye(3), model="sa")
    weights = np.random.default_rng(0).dirichlet(np.ones(8))
    end = nm.integrate(flow, start, t_end=1.0, weights=weights, rtol=1e-11, save_at=[])
    run = nm.simulate(start, flow, t_end=1.0, weights=weights, rtol=1e-11)
    np.testing.assert_allclose(end.state, run.tokens, atol=1e-9)
    for flow, options in ((nm.Flow(beta=1, noise=0.1), {}), (len, {"weights": weights}), (3, {})):
        with pytest.raises(nm.Refused):
            nm.integrate(flow, start, t_end=1.0, **options)
