"""Tokens from files of every kind that people have them in: what was written comes back, what is broken is refused."""

import io
import json
import os
import random
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.strategies import dictionaries, floats, sampled_from, text

from gegenflow import numerics as nm
from gegenflow.numerics.tokens.arrays import read_safetensors, read_table
from gegenflow.numerics.tokens.reading import holds_run
from gegenflow.numerics.validation.command.main import main

TOKENS = nm.uniform(7, 3, rng=0)
ANGLES = np.array([0.1, 2.5, -3.0, 11.0])


def safetensors(arrays, dtypes=None):
    """The bytes of a file of this format, written from its description: length, JSON, then the arrays in order."""
    names = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "uint8": "U8"}
    header, body = {"__metadata__": {"made": "here"}}, b""
    for name, array in arrays.items():
        dtype = (dtypes or {}).get(name) or names[array.dtype.name]
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    return struct.pack("<Q", len(told)) + told + body


def comma(array, head=""):
    return head + "\n".join(",".join(map(repr, row)) for row in array.tolist())


WRITTEN = {
    "a.npy": lambda path, array: np.save(path, array),
    "big_endian.npy": lambda path, array: np.save(path, array.astype(">f8")),
    "columns.npy": lambda path, array: np.save(path, np.asfortranarray(array)),
    "a.npz": lambda path, array: np.savez(path, embeddings=array),
    "small.npz": lambda path, array: np.savez_compressed(path, array),
    "a.safetensors": lambda path, array: path.write_bytes(safetensors({"embeddings": array})),
    "unnamed": lambda path, array: path.write_bytes(safetensors({"embeddings": array})),
    "a.csv": lambda path, array: path.write_text(comma(array)),
    "named.csv": lambda path, array: path.write_text(comma(array, ",".join("xyz"[: array.shape[1]]) + "\n")),
    "numbered.csv": lambda path, array: path.write_text(comma(array, "0,1,2\n")),
    "windows.csv": lambda path, array: path.write_bytes(b"\xef\xbb\xbf" + comma(array).replace("\n", "\r\n").encode()),
    "semicolons.csv": lambda path, array: path.write_text(comma(array).replace(",", "; ")),
    "tabs.txt": lambda path, array: path.write_text("# tokens\n\n" + comma(array).replace(",", "\t") + "\n\n"),
    "savetxt.txt": lambda path, array: np.savetxt(path, array, fmt="%.17g", header="tokens"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tokens_come_back_as_they_were_written(name, tmp_path):
    """By numpy's writers, and by others from the descriptions of the formats."""
    WRITTEN[name](tmp_path / name, TOKENS)
    np.testing.assert_allclose(nm.read_tokens(tmp_path / name), TOKENS, atol=1e-15)
    WRITTEN[name](tmp_path / name, 3 * TOKENS)
    with pytest.raises(ValueError, match=rf"{name}: tokens: row 0 has norm 3, not 1; normalize"):
        nm.read_tokens(tmp_path / name)
    np.testing.assert_allclose(nm.read_tokens(tmp_path / name, normalize=True), TOKENS, atol=1e-15)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.csv", "named.csv"])
def test_angles_are_places_on_the_circle(name, tmp_path):
    """One-dimensional arrays, and one column of text."""
    column = ANGLES[:, None] if name.endswith("csv") else ANGLES
    WRITTEN[name](tmp_path / name, column)
    tokens = nm.read_tokens(tmp_path / name)
    np.testing.assert_allclose(tokens[:, 0] + 1j * tokens[:, 1], np.exp(1j * ANGLES), atol=1e-15)


def test_a_row_of_text_is_a_token(tmp_path):
    """And a column is angles, whatever their number."""
    (tmp_path / "row").write_text("0.6 0.8\n")
    (tmp_path / "column").write_text("0.6\n0.8\n")
    assert nm.read_tokens(tmp_path / "row").tolist() == [[0.6, 0.8]]
    np.testing.assert_allclose(nm.read_tokens(tmp_path / "column")[:, 0], np.cos([0.6, 0.8]))


@pytest.mark.parametrize(("dtype", "size"), [("F32", 4), ("F16", 2), ("BF16", 2)])
def test_short_floats_of_safetensors(dtype, size, tmp_path):
    """float32 and float16 by their own rounding; the upper half of a float32 needs to be normalised."""
    if dtype == "BF16":
        array = (TOKENS.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    else:
        array = TOKENS.astype(f"f{size}")
    (tmp_path / "x.safetensors").write_bytes(safetensors({"x": array}, {"x": dtype}))
    tokens = nm.read_tokens(tmp_path / "x.safetensors", normalize=dtype == "BF16")
    np.testing.assert_allclose(tokens, TOKENS, atol={"F32": 1e-7, "F16": 1e-3, "BF16": 8e-3}[dtype])


NAMES = text(sampled_from("abcé_. "), min_size=1, max_size=4)
NUMBERS = arrays(
    sampled_from([np.float64, np.float32, np.int64, np.uint8]), array_shapes(min_dims=0, max_dims=3, min_side=0)
)


@given(dictionaries(NAMES, NUMBERS, max_size=3))
def test_safetensors_come_back_bit_for_bit(held):
    """Several arrays of any shape and dtype, written from the description of the format."""
    content = safetensors(held)
    back = read_safetensors(io.BytesIO(content), len(content))
    assert {*back} == {*held}
    for name, array in held.items():
        assert (back[name].shape, back[name].dtype) == (array.shape, array.dtype)
        assert back[name].tobytes() == array.tobytes()


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=floats(-1e9, 1e9)), sampled_from(",;\t "))
def test_text_comes_back_to_the_last_bit(table, mark):
    """Python prints floats so that they are read back exactly."""
    lines = "\n".join(mark.join(map(repr, row)) for row in table.tolist())
    assert np.array_equal(read_table(io.BytesIO(lines.encode())), table)


HEADER = b'{"x": {"dtype": "F64", "shape": [1, 2], "data_offsets": [0, 16]}}'
GOOD = struct.pack("<Q", len(HEADER)) + HEADER + np.array([[0.6, 0.8]]).tobytes()


def changed(*pairs):
    """The good file with words of its header changed, its length right."""
    header = HEADER
    for old, new in pairs:
        assert old.encode() in header
        header = header.replace(old.encode(), new.encode())
    return struct.pack("<Q", len(header)) + header + GOOD[-16:]


BROKEN = {
    "short.safetensors": (GOOD[:-1], "its arrays do not fill the 15 bytes"),
    "long.safetensors": (GOOD + b"\0", "its arrays do not fill the 17 bytes"),
    "tiny.safetensors": (GOOD[:6], "its header is said to have"),
    "empty.safetensors": (b"", "its header is said to have"),
    "huge.safetensors": (b"\xff" * 8 + GOOD[8:], "its header is said to have 18446744073709551615 bytes"),
    "text.safetensors": (changed(("F64", "STR")), "x has dtype 'STR'; read are"),
    "shape.safetensors": (changed(("[1, 2]", "[2, 2]")), "x has 16 bytes, not those of F64"),
    "negative.safetensors": (changed(("[1, 2]", "[-1, -2]")), "x has shape"),
    "true.safetensors": (changed(("[1, 2]", "[true, 2]")), "x has shape"),
    "offset.safetensors": (changed(("[0, 16]", "[8, 24]")), "its arrays do not fill"),
    "list.safetensors": (struct.pack("<Q", 2) + b"[]", "its header is no mapping"),
    "lacks.safetensors": (changed(("shape", "shade")), "x lacks its dtype, shape or data_offsets"),
    "none.safetensors": (struct.pack("<Q", 2) + b"{}", "it holds 0 arrays, one is expected"),
    "two.safetensors": (safetensors({"a": np.eye(2), "b": np.eye(2)}), "it holds 2 arrays, one is expected: a, b"),
    "twice.safetensors": (
        struct.pack("<Q", 2 * len(HEADER)) + HEADER[:-1] + b", " + HEADER[1:] + b" " + GOOD[-16:],
        "its header names something twice",
    ),
    "text.npy": (b"1 0\n0 1\n", "it is no .npy file"),
    "empty.npz": (b"", "it is no .npz file"),
    "empty.csv": (b"", "it holds no numbers"),
    "names.csv": (b"x,y\n", "it holds no numbers"),
    "comment.txt": (b"# x y\n", "it holds no numbers"),
    "word.csv": (b"0.6,0.8\n0.6,x\n", "line 2: 'x' is no number"),
    "ragged.csv": (b"x,y\n0.6,0.8\n# 1\n0.6\n", "line 4 has 1 numbers, those before have 2"),
    "index.csv": (b",x,y\n0,0.6,0.8\n", "a column has no name, as a numbering of the rows"),
    "counted.csv": (b"0,1\n0.6,0.8\n", "its first row, 0 and 1, may be a token or number the columns"),
    "bytes.csv": (bytes(range(128, 256)), "it is neither a .npy, .npz or .safetensors file nor text"),
    "nan.csv": (b"0.6,0.8\nnan,1\n", "tokens: row 1 is not finite"),
    "angle.csv": (b"0.6\ninf\n", "angles: entry 1 is inf, not finite"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("normalize", [False, True])
def test_what_is_broken_is_refused_with_the_path(name, normalize, tmp_path):
    content, reason = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / name}: {reason}")):
        nm.read_tokens(tmp_path / name, normalize=normalize)


def test_integers_that_may_number_the_columns(tmp_path):
    """Of integers alone 0 and 1 are a token; three and more in order never are one."""
    (tmp_path / "axes.csv").write_text("0,1\n1,0\n")
    assert nm.read_tokens(tmp_path / "axes.csv").tolist() == [[0.0, 1.0], [1.0, 0.0]]
    (tmp_path / "counted.csv").write_text("0,1,2\n5,0,0\n")
    assert nm.read_tokens(tmp_path / "counted.csv", normalize=True).tolist() == [[1.0, 0.0, 0.0]]


def test_archives_of_several_arrays_and_of_objects_are_refused(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.eye(2), b=np.eye(2))
    with pytest.raises(ValueError, match=r"two.npz: it holds 2 arrays, one is expected: a, b"):
        nm.read_tokens(tmp_path / "two.npz")
    np.savez(tmp_path / "none.npz")
    for name in ("none.npz", "objects.npz", "objects.npy", "words.npz"):
        if name.startswith("objects"):
            (np.save if name.endswith("npy") else np.savez)(tmp_path / name, np.array([None, 1]), allow_pickle=True)
        if name.startswith("words"):
            np.savez(tmp_path / name, np.array(["a"]))
        with pytest.raises(ValueError, match=rf"{name}: "):
            nm.read_tokens(tmp_path / name)


def test_a_bomb_is_not_inflated(tmp_path):
    """A gigabyte of zeros in a few megabytes."""
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (2**26 + 1, 2)})
        for _ in range(2**30 // 2**24 + 1):
            member.write(bytes(2**24))
    with pytest.raises(ValueError, match=r"bomb.npz: its arrays take 10\d{8} bytes, over"):
        nm.read_tokens(tmp_path / "bomb.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "small.npz", "a.safetensors", "run.npz"])
def test_a_truncated_file_is_refused_at_every_length(name, tmp_path):
    """Never another number of tokens, never another error."""
    if name == "run.npz":
        nm.simulate(TOKENS, beta=1, t_end=0.1, save_at=[]).save(tmp_path / name)
    else:
        WRITTEN[name](tmp_path / name, TOKENS)
    content = (tmp_path / name).read_bytes()
    for length in [*range(0, len(content), max(1, len(content) // 300)), len(content) - 1]:
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(ValueError, match=name):
            nm.read_tokens(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "small.npz", "a.safetensors", "a.csv", "run.npz"])
def test_mutated_files_are_refused_or_read_as_tokens(name, tmp_path):
    """A thousand files with bytes changed, cut or put in: unit vectors, or a ValueError with the path."""
    if name == "run.npz":
        nm.simulate(TOKENS, beta=1, t_end=0.1, save_at=[]).save(tmp_path / name)
    else:
        WRITTEN[name](tmp_path / name, TOKENS)
    content, rng = (tmp_path / name).read_bytes(), random.Random(name)
    for _ in range(1000):
        mutated = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(mutated))
            mutated[place : place + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        (tmp_path / name).write_bytes(mutated)
        tokens, message = np.eye(2), f"{tmp_path / name}: "
        try:
            tokens = nm.read_tokens(tmp_path / name)
        except ValueError as error:
            message = str(error)
        assert message.startswith(f"{tmp_path / name}: ")
        np.testing.assert_allclose(np.linalg.norm(tokens, axis=1), 1, atol=1e-15)


def test_what_is_no_regular_file_is_not_read(tmp_path):
    """A device never ends."""
    for path in ("/dev/zero", "/dev/null"):
        with pytest.raises(ValueError, match=f"{path}: it is no regular file"):
            nm.read_tokens(path)
    with pytest.raises(IsADirectoryError):
        nm.read_tokens(tmp_path)
    with pytest.raises(FileNotFoundError):
        nm.read_tokens(tmp_path / "absent")


def test_a_saved_run_gives_its_last_tokens(tmp_path):
    """Weights of their own are not dropped without a word; the run of a density holds no tokens."""
    run = nm.simulate(TOKENS, beta=1, t_end=0.1, save_at=[])
    run.save(tmp_path / "run.npz")
    np.testing.assert_allclose(nm.read_tokens(tmp_path / "run.npz"), run.tokens, atol=1e-15)
    assert holds_run(tmp_path / "run.npz")
    WRITTEN["a.npz"](tmp_path / "plain.npz", TOKENS)
    assert not holds_run(tmp_path / "plain.npz")
    weights = np.arange(1, 8) / 28
    nm.simulate(TOKENS, beta=1, t_end=0.1, weights=weights, save_at=[]).save(tmp_path / "heavy.npz")
    with pytest.raises(ValueError, match=r"heavy.npz: it is a run of tokens with weights of their own"):
        nm.read_tokens(tmp_path / "heavy.npz")
    nm.solve_density([0.9, 1.0, 1.1, 1.0], beta=0.0, t_end=0.1).save(tmp_path / "density.npz")
    with pytest.raises(ValueError, match=r"density.npz: it holds the run of a density"):
        nm.read_tokens(tmp_path / "density.npz")


# --start of the command


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "tabs.txt", "a.safetensors"])
def test_the_command_starts_from_any_of_them(name, tmp_path, capsys):
    """Where each format leads is where the array leads."""
    WRITTEN[name](tmp_path / name, TOKENS)
    assert main(f"simulate --beta 2 --time 0.5 --start {tmp_path}/{name} --out {tmp_path}/run".split()) == 0
    expected = nm.simulate(TOKENS, beta=2, t_end=0.5).tokens
    np.testing.assert_allclose(nm.load(tmp_path / "run").tokens, expected, atol=1e-13)
    capsys.readouterr()


@pytest.mark.parametrize("name", [*BROKEN, "npz"])
def test_the_command_refuses_what_is_broken(name, tmp_path, capsys):
    """Exit status 2 and one line, which names the option and the file; a cut archive too."""
    WRITTEN["a.npz"](tmp_path / "whole.npz", TOKENS)
    content = BROKEN[name][0] if name in BROKEN else (tmp_path / "whole.npz").read_bytes()[:-30]
    (tmp_path / name).write_bytes(content)
    assert main(f"simulate --beta 1 --start {tmp_path}/{name}".split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"gegenflow: --start {Path(tmp_path, name)}"[:120])
    assert err.count("\n") == 1


def spun(words, capsys):
    assert main(words.split()) == 0
    return json.loads(capsys.readouterr().out)


LINES = [
    "--beta 2",
    "--beta 1 --model sa",
    "--kernel tanh(t)",
    "--beta 1 --noise 0.1 --rng 3",
    "--beta 20 --merge 1e-12",
]


@pytest.mark.parametrize("line", LINES)
def test_a_run_goes_on_as_if_it_had_not_ended(line, tmp_path, capsys):
    """One half after the other is the whole, with the times of both; with noise bit for bit, on its own stream."""
    first, both, whole = (tmp_path / name for name in ("first.npz", "both.npz", "whole.npz"))
    options = f"simulate --dim 3 --tokens 20 --format json {line}"
    spun(f"{options} --time 0.5 --out {first}", capsys)
    spun(f"{options} --time 1 --out {whole}", capsys)
    again = line.split(" --merge")[0].split(" --rng")[0]
    told = spun(f"simulate --time 0.5 --format json {again} --start {first} --out {both}", capsys)
    assert (told["reached"], told["time"]) == (1.0, 0.5)
    run = nm.load(both)
    assert (run.t[0], run.t[-1], len(run.t)) == (0.0, 1.0, 201)
    expected = nm.load(whole).tokens
    np.testing.assert_allclose(run.tokens, expected, rtol=0, atol=0 if "noise" in line else 1e-6)


def test_a_run_goes_on_with_its_own_flow_where_none_is_given(tmp_path, capsys):
    """Its matrices, lengths and model included; parts of another flow are refused, another flow starts anew."""
    flow = nm.Flow(beta=1, query_key=[[1, 2], [0, 1]], layer_norm="pre", model="sa")
    nm.simulate(nm.uniform(5, 2, rng=0), flow, t_end=0.5).save(tmp_path / "first.npz")
    told = spun(f"simulate --time 0.5 --format json --start {tmp_path}/first.npz --out {tmp_path}/both.npz", capsys)
    assert (told["model"], told["beta"], told["reached"]) == ("sa", "1", 1.0)
    both, whole = nm.load(tmp_path / "both.npz"), nm.simulate(nm.uniform(5, 2, rng=0), flow, t_end=1.0)
    np.testing.assert_allclose(both.tokens, whole.tokens, atol=1e-7)
    np.testing.assert_allclose(both.radii, whole.radii, rtol=1e-7)
    for option in ("--model usa", "--noise 1"):
        assert main(f"simulate --start {tmp_path}/first.npz {option}".split()) == 2
        assert option.split()[0] in capsys.readouterr().err
    told = spun(f"simulate --time 0.5 --beta 1 --format json --start {tmp_path}/first.npz", capsys)
    assert (told["model"], told["reached"]) == ("usa", 0.5)


def test_a_run_without_a_flow_in_its_file_needs_one(tmp_path, capsys):
    nm.simulate(nm.uniform(5, 2, rng=0), kernel=np.tanh, t_end=0.1).save(tmp_path / "run.npz")
    assert main(f"simulate --start {tmp_path}/run.npz".split()) == 2
    assert "tanh; give --kernel" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["run.npz"]
