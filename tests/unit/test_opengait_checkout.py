"""Is it an OpenGait checkout; the shim that may be put into one; packages that it lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.errors import ConflictError, MissingError, UsageError
from gaitcrafter_ext.opengait import shim
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.stubs import imported_packages
from tests.opengait_fakes import REPOSITORY, fake_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return fake_checkout(tmp_path / "OpenGait")


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_checkout_is_taken_from_the_environment_or_else_the_cache(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path / "nothing"))
    monkeypatch.setenv("OPENGAIT_ROOT", str(checkout))
    assert Checkout().root == checkout.resolve()
    monkeypatch.delenv("OPENGAIT_ROOT")
    with pytest.raises(UsageError, match=r"OPENGAIT_ROOT, or run: git clone .*nothing"):
        Checkout()
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(checkout.parent))
    assert Checkout().root == checkout.resolve()


def test_no_checkout_at_the_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no OpenGait checkout at"):
        Checkout(tmp_path)


def test_what_a_checkout_lacks_is_named(checkout: Path) -> None:
    (checkout / "opengait/data/collate_fn.py").unlink()
    with pytest.raises(MissingError, match=r"it lacks opengait/data/collate_fn\.py"):
        Checkout(checkout)


def test_the_shim_comes_and_goes_without_a_trace(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(checkout)
    assert main(["opengait", "status", "--opengait", str(checkout)]) == 0
    assert "not installed" in capsys.readouterr().out
    for _ in range(2):
        assert main(["opengait", "install", "--opengait", str(checkout), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["current"]
    assert set(everything(checkout)) - set(before) == {facts["shim"]}
    cached = checkout / "opengait/modeling/models/__pycache__" / "AAA_gaitcrafter.cpython-310.pyc"
    cached.parent.mkdir()
    cached.write_bytes(b"")
    assert main(["opengait", "uninstall", "--opengait", str(checkout)]) == 0
    assert everything(checkout) == before


def test_a_file_that_is_not_ours_is_left_alone(checkout: Path) -> None:
    path = checkout / "opengait/modeling/models" / shim.SHIM_NAME
    path.write_text("mine\n")
    for action in (shim.install, shim.uninstall):
        with pytest.raises(ConflictError, match="is not ours"):
            action(Checkout(checkout))
    assert path.read_text() == "mine\n"


def test_a_shim_of_another_version_is_named_and_replaced(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shim, "SHIM_FORMAT", 99)
    shim.install(Checkout(checkout))
    monkeypatch.undo()
    assert "of another version" in shim.describe(Checkout(checkout))
    assert "shim 99," in shim.describe(Checkout(checkout))
    path = checkout / "opengait/modeling/models" / shim.SHIM_NAME
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is of version 99" in done.stderr
    shim.install(Checkout(checkout))
    assert shim.is_current(Checkout(checkout))


def test_a_shim_whose_package_is_gone_says_so(checkout: Path, tmp_path: Path) -> None:
    shim.install(Checkout(checkout))
    path = checkout / "opengait/modeling/models" / shim.SHIM_NAME
    package = str(REPOSITORY / "gaitcrafter_ext")
    path.write_text(path.read_text().replace(package, str(tmp_path / "gone")))
    command = [sys.executable, "-S", "-I", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "neither installed here nor at" in done.stderr
    assert done.stderr.count("\n") == 1


def test_imports_with_a_fallback_are_not_stubbed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import kornia.morphology\nfrom sklearn import svm\nfrom . import b\n"
        "try:\n    from xformers.ops import fmha\nexcept ImportError:\n    fmha = None\n"
        "def late():\n    import pandas\n"
    )
    assert imported_packages(tmp_path) == {"kornia", "sklearn"}


STUBS = """
import sys
from pathlib import Path
from gaitcrafter_ext.opengait.stubs import install_stubs
assert install_stubs(Path(sys.argv[1])) == ("missingpkg", "torchvision_gone")
from missingpkg.deep.down import Thing, helper
import missingpkg.other as other
class Mine(Thing):
    pass
class Nested(other.namespace.Kind):
    pass
for call in (Mine, helper, other.anything, Nested):
    try:
        call(1, two=2)
    except Exception as error:
        assert type(error).__name__ == "MissingError", error
        assert "pip install missingpkg" in str(error), error
    else:
        raise AssertionError(call)
try:
    import xformers_gone
except ImportError:
    pass
else:
    raise AssertionError("a package with a fallback was replaced")
"""


def test_a_missing_package_fails_only_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import missingpkg, torchvision_gone\ntry:\n    import xformers_gone\nexcept ImportError:\n    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", STUBS, str(tmp_path)], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr


def test_the_stand_in_grid_is_what_torchvision_draws() -> None:
    import torch

    from gaitcrafter_ext.opengait.stubs import _make_grid

    pictures = torch.arange(3 * 1 * 2 * 2, dtype=torch.float32).reshape(3, 1, 2, 2)
    grid = _make_grid(pictures, nrow=2, padding=2)
    assert grid.shape == (3, 8, 8)
    assert grid[0, 2:4, 2:4].tolist() == [[0.0, pytest.approx(1 / 3)], [pytest.approx(2 / 3), 1.0]]
    assert grid[0, 6:8, 6:8].abs().sum() == 0  # the fourth place is empty


def test_a_wrong_command_is_one_line(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path / "nothing"))
    for arguments, code, said in (
        (["--cfgs", "x.yaml"], 2, "no OpenGait checkout named"),
        (["--opengait", "nowhere", "--cfgs", "x.yaml"], 1, "no OpenGait checkout at nowhere"),
        (["--opengait", str(checkout), "--cfgs", "none.yaml"], 1, "there is no file none.yaml"),
        (["--opengait", str(checkout)], 2, "--cfgs"),
        (["fly"], 2, "fly"),
    ):
        assert main(["opengait", *arguments]) == code
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_compose_prints_one_plain_config(checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "base.yaml").write_text("data_cfg: {dataset_name: A, num_workers: 1}\n")
    (tmp_path / "arm.yaml").write_text("data_cfg: {dataset_partition: base.yaml}\n")
    names = [str(tmp_path / name) for name in ("base.yaml", "arm.yaml")]
    command = ["opengait", "compose", "--opengait", str(checkout), "--cfgs", *names, "--set", "data_cfg.num_workers=4"]
    assert main(command) == 0
    composed = yaml.safe_load(capsys.readouterr().out)
    assert composed == {"data_cfg": {"dataset_name": "A", "num_workers": 4, "dataset_partition": names[0]}}
