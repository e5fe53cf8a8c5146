"""What this machine can do at most, measured: matrix products, exponentials, memory."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
from numba import get_num_threads, njit, prange

MOST_ROUNDS, LEAST_ROUNDS = 300, 3
SECONDS = 1.5  # spent on a case, if the least number of rounds allows
PAUSE = 0.1  # lets the threads of the one before fall asleep: those of OpenBLAS stay awake for 2^26 cycles, 0.03 s
REPEATS = 200
ROW = 2**13  # numbers a thread: 64 kilobytes, within any second-level cache

LOG2_E, LOG2_E_FLOAT32 = np.log2(np.e), np.float32(np.log2(np.e))
ROUNDER, ROUNDER_FLOAT32 = 1.5 * 2.0**52, np.float32(1.5 * 2**23)  # adding it rounds to an integer in the low bits
_series = [np.polynomial.Chebyshev.interpolate(np.exp2, degree, domain=[-0.5, 0.5]) for degree in (11, 6)]
_powers = [series.convert(kind=np.polynomial.Polynomial).coef[::-1] for series in _series]
EXP2, EXP2_FLOAT32 = tuple(map(float, _powers[0])), tuple(map(np.float32, _powers[1]))


@dataclass(frozen=True)
class Machine:
    """Rates per second by dtype, bytes of memory per second, and the least time that the sums of attention take."""

    flops: dict[str, float]
    exponentials: dict[str, float]
    bandwidth: float

    def least_seconds(self, bound: str, n: int, dim: int, dtype: str) -> float:
        """The time in which no method of a kind can do better.

        "pairs": an exponential for each unordered pair.  "products": also the overlaps of those pairs and the pull of
        each token of a pair on the other.  "memory": tokens and weights read twice, the sums written once.
        """
        pairs = n * n / 2 / self.exponentials[dtype]
        return {
            "pairs": pairs,
            "products": pairs + 3 * n * n * dim / self.flops[dtype],
            "memory": 3 * n * (dim + 1) * 8 / self.bandwidth,
        }[bound]


def measure_machine() -> Machine:
    """Each rate by the best of several tries, with all threads."""
    names = ("float64", "float32")
    return Machine({name: gemm_rate(name) for name in names}, {name: exp_rate(name) for name in names}, bandwidth())


def gemm_rate(dtype: str, size: int = 2048) -> float:
    """Floating-point operations a second in a product of two matrices, by the library of numpy."""
    left, right = np.random.default_rng(0).standard_normal((2, size, size)).astype(dtype)
    out = np.empty_like(left)
    return 2 * size**3 / best_time(lambda: np.matmul(left, right, out=out))


def exp_rate(dtype: str) -> float:
    """Exponentials a second on numbers in the second-level cache, by a polynomial that the compiler vectorises."""
    numbers = np.random.default_rng(0).uniform(-10, 0, (get_num_threads(), ROW)).astype(dtype)
    out = np.empty_like(numbers)
    run = _exp_rows if dtype == "float64" else _exp_rows_float32
    rate = numbers.size * REPEATS / best_time(lambda: run(numbers, out, REPEATS))
    assert np.allclose(out, np.exp(numbers), rtol=100 * np.finfo(dtype).eps, atol=0)
    return rate


def bandwidth(size: int = 10**7) -> float:
    """Bytes a second in a = b + s c on arrays far larger than the caches."""
    a, b, c = np.zeros(size), np.ones(size), np.ones(size)
    return 24 * size / best_time(lambda: _triad(a, b, c, 0.5))


def alternate(runs: dict[str, Callable[[], object]], budget: float = SECONDS) -> dict[str, float]:
    """Median seconds of calls that take turns, each after an untimed one of the same if that is short."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    start, rounds = perf_counter(), 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and perf_counter() - start < budget):
        rounds += 1
        for name, run in runs.items():
            sleep(PAUSE)
            if times[name] and times[name][-1] < 0.02:
                run()
            before = perf_counter()
            run()
            times[name].append(perf_counter() - before)
    return {name: median(seconds) for name, seconds in times.items()}


def best_time(run: Callable[[], object], tries: int = 8) -> float:
    """Seconds of the fastest of several calls after a first one."""
    run()
    seconds = []
    for _ in range(tries):
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    return min(seconds)


def resident(field: str) -> float:
    """Megabytes of this process in memory, "VmRSS", or the most since its start or the last reset, "VmHWM"."""
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(rows[field].split()[0]) / 1024


def give_back_freed() -> None:
    """Return what was freed to the system, so that it counts again when it is taken again."""
    ctypes.CDLL(None).malloc_trim(0)


def reset_peak() -> None:
    """Let "VmHWM" start again from what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


@njit(parallel=True, fastmath={"contract"})
def _exp_rows(numbers, out, repeats):
    for row in prange(len(numbers)):
        x, y = numbers[row], out[row]
        for _ in range(repeats):
            for j in range(x.size):
                power = x[j] * LOG2_E
                shifted = power + ROUNDER
                rest = power - (shifted - ROUNDER)
                value = EXP2[0]
                for coefficient in EXP2[1:]:
                    value = value * rest + coefficient
                exponent = np.float64(shifted).view(np.int64) << np.int64(52)
                y[j] = np.int64(np.float64(value).view(np.int64) + exponent).view(np.float64)


@njit(parallel=True, fastmath={"contract"})
def _exp_rows_float32(numbers, out, repeats):
    for row in prange(len(numbers)):
        x, y = numbers[row], out[row]
        for _ in range(repeats):
            for j in range(x.size):
                power = x[j] * LOG2_E_FLOAT32
                shifted = power + ROUNDER_FLOAT32
                rest = power - (shifted - ROUNDER_FLOAT32)
                value = EXP2_FLOAT32[0]
                for coefficient in EXP2_FLOAT32[1:]:
                    value = value * rest + coefficient
                exponent = np.float32(shifted).view(np.int32) << np.int32(23)
                y[j] = np.int32(np.float32(value).view(np.int32) + exponent).view(np.float32)


@njit(parallel=True)
def _triad(a, b, c, scale):
    for j in prange(len(a)):
        a[j] = b[j] + scale * c[j]
