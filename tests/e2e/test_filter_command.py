"""``gaitcrafter filter`` and ``synthesize --filter`` as a user types them, on tiny untrained networks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.opengait.config_keys import GeneratedEntry, read_entries
from gaitcrafter_ext.opengait.on_demand import plan_of
from gaitcrafter_ext.opengait.people import RealPeople
from gaitcrafter_ext.silhouettes.files import CACHE_VARIABLE
from gaitcrafter_ext.synthesis.selection import read_selected
from tests.e2e.test_synthesize_command import clip_bytes, run_ranks
from tests.filter_fakes import write_tiny_filter
from tests.synthesis_fakes import write_tiny_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recogniser that lets everyone pass: no two centres are as near as -1."""
    return write_tiny_filter(tmp_path_factory.mktemp("lenient"), centre=-1.0, clip=2.0)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recogniser to whom all people are one person."""
    return write_tiny_filter(tmp_path_factory.mktemp("strict"), centre=2.1, clip=2.0)


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


def ask(command: str, out: Path, weights: Path, judge: Path, *more: str) -> int:
    cheap = ("--frames", "20", "--steps", "1", "--guidance", "1")
    return main([command, "--out", str(out), "--weights", str(weights), "--recogniser", str(judge), *cheap, *more])


def synthesize(out: Path, weights: Path, judge: Path, *more: str) -> int:
    return ask("synthesize", out, weights, judge, "--conditions", "nm", *more)


def test_a_selection_is_written_once_and_other_settings_do_not_overwrite_it_without_force(
    tmp_path: Path, weights: Path, lenient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "chosen.json"
    assert ask("filter", out, weights, lenient, "--novel", "3", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["asked"], facts["judged"], facts["kept"], facts["control"]["people"]) == (3, 3, 3, 3)
    assert list(read_selected(out).people) == ["syn-0001", "syn-0002", "syn-0003"]
    before = out.read_bytes()
    assert ask("filter", out, weights, lenient, "--novel", "3") == 0
    assert out.read_bytes() == before
    assert "3 people asked for, 3 candidates judged, 3 kept" in capsys.readouterr().out
    assert ask("filter", out, weights, lenient, "--novel", "2") == 1
    assert "chosen by other settings (other settings)" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert ask("filter", out, weights, lenient, "--novel", "2", "--force") == 0
    assert len(read_selected(out).people) == 2


def test_a_folder_or_a_foreign_file_is_refused_before_anyone_is_tried(
    tmp_path: Path, weights: Path, lenient: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def no_trial(*_: object) -> None:
        raise AssertionError("a trial was begun")

    monkeypatch.setattr("gaitcrafter_ext.cli._generating.load_networks", no_trial)
    for how in ((), ("--compare", "--force")):
        assert ask("filter", tmp_path, weights, lenient, "--novel", "1", *how) == 1
        assert f"--out: {tmp_path} is a folder; name a file" in capsys.readouterr().err
    assert list(tmp_path.parent.glob(".gaitcrafter-*")) == []
    (tmp_path / "notes.json").write_text("mine")
    assert ask("filter", tmp_path / "notes.json", weights, lenient, "--novel", "1") == 1
    assert "not a filter's" in capsys.readouterr().err
    assert (tmp_path / "notes.json").read_text() == "mine"


def test_the_people_of_a_file_are_those_of_the_run_unless_it_is_of_other_weights(
    tmp_path: Path, weights: Path, lenient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "chosen.json"
    assert ask("filter", chosen, weights, lenient, "--novel", "2") == 0
    assert synthesize(tmp_path / "from file", weights, lenient, "--filter", str(chosen)) == 0
    assert synthesize(tmp_path / "at once", weights, lenient, "--filter", "--novel", "2") == 0
    assert clip_bytes(tmp_path / "from file") == clip_bytes(tmp_path / "at once")
    assert (tmp_path / "from file" / "identities.json").read_bytes() == chosen.read_bytes()
    asked = {"weights": str(weights), "filter": str(chosen)}
    real = RealPeople("other", (), (), (), frozenset(), tmp_path)
    for novel in (0, 2, 3):
        (entry,) = read_entries({**asked, "novel": novel} if novel else asked)
        assert isinstance(entry, GeneratedEntry)
        if novel == 3:
            with pytest.raises(UsageError, match=r"data_cfg\.synthetic\.novel: 3; .* holds 2 people"):
                plan_of(entry, read_card(weights), weights, real)
        else:
            assert len(plan_of(entry, read_card(weights), weights, real).people) == 2
    found = json.loads(chosen.read_text())
    found["request"]["weights"] = "0" * 16
    chosen.write_text(json.dumps(found))
    assert synthesize(tmp_path / "out", weights, lenient, "--filter", str(chosen)) == 2
    assert "were chosen for weights 0000000000000000" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_too_few_are_written_or_made_and_said_to_be_too_few(
    tmp_path: Path, weights: Path, strict: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, wish = tmp_path / "out", ("--novel", "2", "--max-candidates", "3")
    assert ask("filter", tmp_path / "chosen.json", weights, strict, *wish) == 1
    printed = capsys.readouterr()
    assert "--novel: 0 of the 2 people asked for, after 3 candidates (--max-candidates)" in printed.err
    assert "3 too near a training person" in printed.out
    assert len(read_selected(tmp_path / "chosen.json").decisions) == 3
    assert synthesize(out, weights, strict, "--filter", *wish) == 1
    assert "0 of the 2 people" in capsys.readouterr().err
    assert clip_bytes(out) == {}
    assert synthesize(out, weights, strict, "--filter", *wish, "--identities", "sim-001", "--json") == 1
    counts = {"asked": 2, "judged": 3, "kept": 0, "inconsistent": 0, "known": 3, "duplicate": 0}
    assert json.loads(capsys.readouterr().out)["filter"] == counts
    assert len(clip_bytes(out)) == 2


def test_a_wish_that_cannot_be_met_and_a_dry_run_make_nothing(
    tmp_path: Path, weights: Path, lenient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wish, message in (
        (("--max-candidates", "1"), "--max-candidates: 1; allowed: 2"),
        (("--false-match-rate", "0.5"), "--false-match-rate: 0.5; allowed: 0.001 to 0.1"),
        (("--blend", "spread"), "--blend: unknown 'spread'; allowed: even, draw"),
        (("--blend-parents", "9"), "--blend-parents: 9; allowed: 2 to 3"),
    ):
        assert ask("filter", tmp_path / "chosen.json", weights, lenient, "--novel", "2", *wish) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "chosen.json").exists()
    assert synthesize(tmp_path / "out", weights, lenient, "--filter", "--novel", "2", "--dry-run") == 0
    assert "before that the filter chooses" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_ways_to_blend_in_a_table(
    tmp_path: Path, weights: Path, lenient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.json"
    assert [ask("filter", out, weights, lenient, "--novel", "2", "--compare") for _ in range(2)] == [0, 1]
    assert "two parents" in capsys.readouterr().out
    rows = [(row["name"], row["kept"] is None) for row in json.loads(out.read_text())["rows"]]
    assert rows[:2] == [("training people", True), ("two parents", False)]


@pytest.mark.slow
def test_processes_of_a_launcher_share_a_choice_that_the_last_one_writes(
    tmp_path: Path, weights: Path, lenient: Path
) -> None:
    wish = ("--weights", str(weights), "--recogniser", str(lenient), "--novel", "12", "--blend", "draw", "--steps", "1")
    assert main(["filter", "--out", str(tmp_path / "alone.json"), *wish]) == 0
    said = run_ranks("filter", "--out", str(tmp_path / "chosen.json"), *wish)
    assert "12 people asked for" in said[0] + said[1]
    assert (tmp_path / "chosen.json").read_bytes() == (tmp_path / "alone.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.json", "chosen.json"]
