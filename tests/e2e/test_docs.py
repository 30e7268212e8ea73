"""What the documentation prints works: commands parse, presets and targets exist, links lead somewhere, Python runs."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import _Parser, load_command
from gaitcrafter_ext.silhouettes.dataset import preset_path

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "docs" / "slurm").glob("*.sbatch"))
PAGES = [ROOT / "README.md", ROOT / "opengait_configs" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: How a command of ours begins, whoever launches it.
OURS = re.compile(r"(?:^|\s)(?:gaitcrafter|-m gaitcrafter_ext|\S*tools/(?=\w+\.py))\s*(?=[\w-])")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def lines(text: str) -> Iterator[str]:
    """Its commands, variables filled in, comments dropped."""
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        names: dict[str, object] = {}
        exec(block, names)
        clips = names["clips"]
        shapes = re.findall(r"uint8 (\[[\d, ]+\])", block)
        assert shapes == [str(list(clips.shape))]  # type: ignore[attr-defined]
