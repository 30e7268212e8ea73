"""Is it an OpenGait checkout; the shim that may be put into one; packages that it lacks."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.errors import ConflictError, MissingError, UsageError
from gaitcrafter_ext.opengait import stubs
from gaitcrafter_ext.opengait.checkout import REQUIRED, Checkout
from tests.opengait_fakes import REPOSITORY, run_python
from tests.refusals import assert_refused, content_of


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Files with the names that a checkout is known by, and nothing in them."""
    for name in REQUIRED:
        path = tmp_path / "OpenGait" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "OpenGait"


def test_a_checkout_is_found_and_what_it_lacks_named(
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
    with pytest.raises(MissingError, match="no OpenGait checkout at"):
        Checkout(tmp_path)
    (checkout / "opengait/data/collate_fn.py").unlink()
    with pytest.raises(MissingError, match=r"it lacks opengait/data/collate_fn\.py"):
        Checkout(checkout)


def test_the_shim_comes_and_goes_without_a_trace(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, shim = content_of(checkout), Checkout(checkout).shim
    assert main(["opengait", "status", "--opengait", str(checkout)]) == 0
    assert "not installed" in capsys.readouterr().out
    assert main(["opengait", "install", "--opengait", str(checkout), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["current"]
    assert set(content_of(checkout)) - set(before) == {facts["shim"]}
    shim.write_text(shim.read_text().replace("package ", "package 0."))
    assert "changed or of another version" in Checkout(checkout).describe()
    Checkout(checkout).install()
    assert Checkout(checkout).is_current
    cached = shim.parent / "__pycache__" / "AAA_gaitcrafter.cpython-310.pyc"
    cached.parent.mkdir()
    cached.write_bytes(b"")
    assert main(["opengait", "uninstall", "--opengait", str(checkout)]) == 0
    assert content_of(checkout) == before


def test_a_file_that_is_not_ours_is_left_alone(checkout: Path) -> None:
    found = Checkout(checkout)
    found.shim.write_text("mine\n")
    for action in (found.install, found.uninstall):
        with pytest.raises(ConflictError, match="is not ours"):
            action()
    assert found.shim.read_text() == "mine\n"


def test_a_shim_whose_package_is_gone_says_so(checkout: Path, tmp_path: Path) -> None:
    Checkout(checkout).install()
    path, package = Checkout(checkout).shim, str(REPOSITORY / "gaitcrafter_ext")
    path.write_text(path.read_text().replace(package, str(tmp_path / "gone")))
    error = run_python("-S", "-I", path, code=1, cwd=tmp_path).stderr
    assert "neither installed here nor at" in error
    assert error.count("\n") == 1


@mock.patch.dict(sys.modules)
def test_a_missing_package_fails_only_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stubs, "OPTIONAL", {"missingpkg": "missing-pkg", "json": "json"})
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    assert stubs.install_stubs() == ("missingpkg",)
    thing, other = (importlib.import_module(f"missingpkg.{name}") for name in ("deep.down", "other"))
    mine = type("Mine", (thing.Thing,), {})  # a model derives from it
    for call in (mine, mine.helper, thing.helper, other.namespace.Kind):
        with pytest.raises(MissingError, match="'missingpkg' is not installed; run: pip install missing-pkg"):
            call(1, two=2)


def test_what_every_run_needs_of_torchvision_is_there_in_full() -> None:
    assert stubs._compose([lambda value: value + 1, lambda value: 2 * value])(3) == 8
    grid = stubs._make_grid(torch.arange(9 * 4.0).reshape(9, 1, 2, 2), normalize=True, scale_each=True)
    assert grid.shape == (3, 2 * 4, 8 * 4)
    assert torch.allclose(grid[0, 4:6, :2], torch.tensor([[0.0, 1 / 3], [2 / 3, 1.0]]))


def test_a_wrong_command_is_one_line(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path / "nothing"))
    for arguments, code, said in (
        (["--cfgs", "x.yaml"], 2, "no OpenGait checkout named"),
        (["--opengait", str(checkout), "--cfgs", "none.yaml"], 1, "there is no file none.yaml"),
        (["--opengait", str(checkout)], 2, "--cfgs"),
    ):
        assert_refused(["opengait", *arguments], code, said, tmp_path, capsys)


def test_compose_prints_one_plain_config(checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "base.yaml").write_text("data_cfg: {dataset_name: A, num_workers: 1}\n")
    (tmp_path / "arm.yaml").write_text("data_cfg: {dataset_partition: base.yaml}\n")
    names = [str(tmp_path / name) for name in ("base.yaml", "arm.yaml")]
    command = ["opengait", "compose", "--opengait", str(checkout), "--cfgs", *names, "--set", "data_cfg.num_workers=4"]
    assert main(command) == 0
    composed = yaml.safe_load(capsys.readouterr().out)
    assert composed == {"data_cfg": {"dataset_name": "A", "num_workers": 4, "dataset_partition": names[0]}}
