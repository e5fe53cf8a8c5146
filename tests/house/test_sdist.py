"""The source distribution: every tracked file is in it, and it tests itself."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows what is tracked, and this is no checkout of it")
def test_the_sdist_holds_every_tracked_file_and_tests_itself(tmp_path):
    """Of what is committed: the same files, and from them alone the helpers of the tests are found and examples run."""
    pytest.importorskip("build", reason="the extra test is not installed")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    build = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(clone)]
    subprocess.run(build, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.name.removesuffix(".tar.gz")
    listed = subprocess.run(["git", "ls-files"], cwd=clone, capture_output=True, text=True, check=True).stdout
    tracked = set(listed.splitlines())
    assert {"CITATION.cff", "docs/conf.py", "tests/conftest.py", "worked_examples/critical_table.py"} <= tracked
    assert tracked <= {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    tests = ["tests/agreement/test_worked_examples.py", "tests/house/test_pages.py", "-k", "critical", "-q"]
    told = subprocess.run([sys.executable, "-m", "pytest", *tests], cwd=folder, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout
    assert " passed" in told.stdout
