"""What the documentation prints works: commands parse and, in slow tests, run: page by page, on little data."""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import re
import shlex
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gaitcrafter_ext.cli.main import _Parser, load_command, main
from gaitcrafter_ext.silhouettes.dataset import load_dataset, preset_path
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, write_clip
from gaitcrafter_ext.vocabulary import CASIA_B_TAKES, ClipKey, take_names
from tests.stick_walkers import stick_clip
from tests.tiny import tiny_yaml

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "docs" / "tour.ipynb"
SCRIPTS = sorted((ROOT / "docs" / "slurm").glob("*.sbatch"))
PAGES = [ROOT / "README.md", ROOT / "opengait_configs" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: How a command of ours begins, whoever launches it.
OURS = re.compile(r"(?:^|\s)(?:gaitcrafter\s|-m gaitcrafter_ext\s|\S*tools/(?=\w+\.py))\s*(?=[\w-])")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def lines(text: str) -> Iterator[str]:
    variables: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        for command in line.split(" && "):
            bare = re.sub(r"(^|\s)#.*", "", command).split(" > ")[0].strip()
            for name, value in variables.items():
                bare = bare.replace(f"${name}", value)
            if assigned := re.fullmatch(r'(\w+)="(.*)"', bare):
                variables[assigned[1]] = assigned[2]
            elif bare:
                yield bare


def parse(line: str) -> argparse.Namespace | None:
    """A line's options, by the parser of the command that it calls; None where it calls none of ours."""
    found = OURS.search(line)
    words = shlex.split(line[found.end() :]) if found else []
    if not words or words[0].startswith("-"):
        return None
    command = load_command(words[0].removesuffix(".py"))
    parser = _Parser(prog=words[0], allow_abbrev=False)
    command.add_arguments(parser)
    if words[1:] == ["--help"]:
        return None
    args, unknown = parser.parse_known_args(words[1:])
    assert not unknown, f"unknown: {unknown}"
    return args


def test_every_command_parses_and_its_preset_exists() -> None:
    parsed = 0
    for page in [*PAGES, *SCRIPTS]:
        for line in lines("\n".join(blocks(page, "sh")) if page.suffix == ".md" else page.read_text()):
            try:
                args = parse(line)
                config = getattr(args, "config", None)
                if config is not None and not str(config).endswith(".yaml"):
                    preset_path(config)
            except Exception as error:
                pytest.fail(f"{page.name}: {line}\n{error}")
            parsed += args is not None
    assert parsed > 50


def test_inline_commands_name_commands_that_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"`gaitcrafter ([a-z]+)[ `]", page.read_text()):
            load_command(name)


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for line in re.findall(r"^(?:\S+=\S+ )?make ([\w -]+)", "\n".join(blocks(page, "sh")), re.MULTILINE):
            assert set(line.split()) <= targets, f"{page.name}: make {line}"


def test_every_link_inside_the_repository_leads_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\((?!https?://)([^)#]*)(#[^)]*)?\)", page.read_text()):
            path = (page.parent / target[0]) if target[0] else page
            assert path.exists(), f"{page.name}: {target[0]}"
            if target[1]:
                headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
                assert target[1][1:] in slugs, f"{page.name}: {''.join(target)}"


def test_every_module_and_name_that_the_architecture_mentions_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = list((ROOT / "gaitcrafter_ext").rglob("*.py"))
    known = {path.name for path in modules}
    known |= {path.relative_to(ROOT / "gaitcrafter_ext").as_posix() for path in modules}
    assert set(re.findall(r"[\w/]+\.py", text)) - known - {"tests/contract/test_imports.py"} == set()
    code = "\n".join(path.read_text() for path in modules)
    for name in re.findall(r"`([A-Z_]{4,}|make_\w+|build_\w+)`", text):
        assert name in code, name


#: What is made small before a command runs; the rest of the line stays as it is printed.
SMALLER = {
    r"--subjects \d+( --train \d+)?": "--subjects 4 --train 4",
    r"--novel \d+": "--novel 2",
    r"--views (000,054,090,144|036,[\d,]+)": "--views 054,090",
    r"(simulate (?!.*--views).*)": r"\1 --views 054,090",
    r"(simulate (?!.*--frames).*)": r"\1 --frames 30",
    r"(train .*--config) (casia-b|oumvlp|gait3d)\b": r"\1 tiny/\2.yaml",  # the preset with a network of little width
    r"(synthesize (?!.*--weights)(?!.*--views).*)": r"\1 --views 090",  # the bundled weights know eleven views
    r"--preset (full|small --iterations 600)": "--preset small --iterations 2",
    r"--synthetic-share 0:1,45000:0": "--synthetic-share 0:1,1:0",
    r"(merge .*)--synthetic synthetic": r"\1--synthetic clips",  # made before, not on this page
    r"(evaluate phases)$": r"\1 --people 2",
}

#: What is parsed and not run, and why.
NOT_RUN = {
    r"pip install": "needs a package index",
    r"git clone|tensorboard": "needs the network",
    r"make ": "makes an environment; CI runs `make`",
    r"gaitcrafter (filter|synthesize .*--filter)": "clips of 1,000 people first; tests/e2e/test_filter_command.py",
    r".*--engine ray": "needs Ray",
    r"gaitcrafter train --distill": "minutes on a GPU; tests/unit/test_generator_training.py",
    r"python (?!tools/)": "twenty minutes and more",
    r".*opengait.* --opengait|python tools/(train|simulate|opengait)|cd OpenGait": "make test-opengait does the same",
    r"torchrun|accelerate|sbatch|srun": "several processes; test_train_command.py, test_synthesize_command.py",
    r"gaitcrafter experiment(?!.*--dry-run)": "hours; tests/e2e/test_experiment_command.py",
    r"gaitcrafter benchmark": "builds a tree of 288,596 files; tests/unit/test_benchmark.py",
}

#: Dataset -> its folder and partitions, as the pages call them, and takes and views of each of its people.
DATASETS = {
    "casia-b": ("CASIA-B-pkl", ("CASIA-B.json", "OpenGait/datasets/CASIA-B/CASIA-B.json"), take_names(CASIA_B_TAKES),
                ("000", "090")),
    "oumvlp": ("OUMVLP-pkl", ("OUMVLP.json",), ["00", "01"], ("000", "090")),
    "gait3d": ("Gait3D-sils-64-64-pkl", ("Gait3D.json",), ["camid0_videoid2", "camid1_videoid1", "camid2_videoid1"],
               ("seq0",)),
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What readers have at hand, by the names of the pages: datasets of five people, a zip, masks, a video, clips."""
    root = tmp_path_factory.mktemp("data")
    for folder in ("masks", "tiny"):
        (root / folder).mkdir()
    people = ("001", "002", "003", "004", "005")
    for name, (folder, partitions, takes, views) in DATASETS.items():
        store = SilhouetteStore(root / folder, load_dataset(name), create=True)
        for (number, who), (seed, take) in itertools.product(enumerate(people), enumerate(takes)):
            clip = stick_clip(number, 24.0 + number, 32, phase=0.1 * seed, seed=seed)
            for view in views:
                store.write(ClipKey(who, take, view), clip)
        for path in partitions:
            Partition(people[:3], people[3:]).save(root / path)
        (root / "tiny" / f"{name}.yaml").write_text(tiny_yaml(name))
    film = cv2.VideoWriter(str(root / "walk.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (320, 180), isColor=False)
    with zipfile.ZipFile(root / "GaitDatasetB-silh.zip", "w") as archive:
        for number, frame in enumerate(stick_clip(0, 24.0, 32)):
            png = cv2.imencode(".png", np.pad(frame, 60))[1].tobytes()
            archive.writestr(f"001/nm-01/000/001-nm-01-000-{number:03d}.png", png)
            (root / "masks" / f"{number:03d}.png").write_bytes(png)
            film.write(np.pad(frame, ((60, 56), (3 * number, 256 - 3 * number))))
    film.release()
    for view in ("000", "090"):
        write_clip(root / f"clips/pkl/syn-0001/nm-01/{view}/{view}.pkl", stick_clip(5, 27.0, 30))
    Partition(("syn-0001",)).save(root / "clips" / "partition.json")
    return root


def small(line: str) -> str:
    for pattern, smaller in SMALLER.items():
        line = re.sub(pattern, smaller, line)
    return line


def run(line: str) -> None:
    """Run a printed command of ours, or be sure that it is listed as one that is not run."""
    if any(re.match(pattern, line) for pattern in NOT_RUN):
        return
    found = OURS.match(line) or pytest.fail(f"neither ours nor in NOT_RUN: {line}")
    words = [
        name
        for word in shlex.split(small(line)[found.end() :])
        for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    assert main(words) == 0, " ".join(words)


def check_python(block: str) -> None:
    """Run a snippet; the shape in the comment beside ``clips`` is the one they have."""
    if '"cuda"' in block and not torch.cuda.is_available():
        return
    names: dict[str, object] = {}
    exec(block, names)
    assert re.findall(r"uint8 (\[[\d, ]+\])", block) == [str(list(names["clips"].shape))]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_runs(page: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language == "python":
            check_python(block)
            continue
        for line in lines(block):
            try:
                run(line)
            except Exception as error:
                pytest.fail(f"{page.name}: {line}\n{error}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_tour_runs_and_shows_the_pictures_that_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown, names = list[object](), {"__name__": "__main__"}
    monkeypatch.setattr("sys.displayhook", shown.append)  # as an interactive session calls it
    for cell in json.loads(TOUR.read_text())["cells"]:
        if cell["cell_type"] == "code":
            shown.append(None)
            exec(compile(ast.Interactive(ast.parse("".join(cell["source"])).body), "tour.ipynb", "single"), names)
            pictures = [output for output in cell["outputs"] if "image/png" in output.get("data", {})]
            assert hasattr(shown[-1], "_repr_png_") or not pictures
    assert sum(hasattr(value, "_repr_png_") for value in shown) == 6
    assert TOUR.stat().st_size < 600_000
