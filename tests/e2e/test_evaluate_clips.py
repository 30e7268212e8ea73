"""``gaitcrafter evaluate clips`` and ``evaluate blind`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator.weights import Card, TrainedOn, Vocabulary
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import CYCLES, stick_clip

TAKES = ("nm-01", "nm-02", "nm-03", "cl-01", "cl-02")


def write_tree(root: Path, people: range, takes: tuple[str, ...], frames: int, seed: int, name: str = "{:03d}") -> Path:
    store = SilhouetteStore(root / "pkl", create=True)
    for person in people:
        for number, take in enumerate(takes):
            rng = np.random.default_rng([seed, person, number])
            extra = 4 if take.startswith("cl") else 0
            clip = stick_clip(person, CYCLES[person], frames, rng.random(), extra, 100 * seed + number)
            store.write(ClipKey(name.format(person), take, "090"), clip)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real people, honest clips of them, novel people, another view, one clip, and a weights' card."""
    root = tmp_path_factory.mktemp("audit")
    write_tree(root / "real", range(4), TAKES, 45, seed=1)
    made = write_tree(root / "made", range(4), ("nm-01", "cl-01"), 30, seed=2)
    write_tree(root / "novel", range(2), ("nm-01", "cl-01"), 30, seed=3, name="syn-{:04d}")
    write_tree(root / "single", range(1), ("nm-01",), 30, seed=2)
    clip = SilhouetteStore(made / "pkl").read(ClipKey("000", "nm-01", "090"))
    SilhouetteStore(root / "other_view" / "pkl", create=True).write(ClipKey("000", "nm-01", "126"), clip)
    (root / "empty").mkdir()
    people = tuple(f"{person:03d}" for person in range(4))
    held_out = tuple(f"{identity}/{take}" for identity in people for take in ("nm-03", "cl-02"))
    card = Card(Vocabulary(people, ("nm", "cl"), {"090": 90.0}), TrainedOn("drawn", "0" * 16, held_out))
    (root / "weights").mkdir()
    (root / "weights" / "card.json").write_text(card.to_json())
    return root


def evaluate(folder: Path, *words: str) -> int:
    """Run ``evaluate``; a word that names something in the folder stands for its path."""
    return main(["evaluate", *(str(folder / word) if (folder / word).exists() else word for word in words)])


def test_the_tables_hold_each_measure_with_floor_ceiling_and_chance(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(folder, "clips", "--real", "real", "--synthetic", "made", "--jobs", "1") == 0
    text = capsys.readouterr().out
    for words in ("25.0 %", "ceiling", "floor", "everyone given the median", "1-99 %", "shuffled"):
        assert words in text
    assert "nan" not in text


def test_the_card_tells_what_was_held_out_and_json_tells_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--trained-weights", "weights", "--json", "--jobs", "1")
    assert evaluate(folder, "clips", "--real", "real", "--synthetic", "made", *options) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["clips"] == {"synthetic": 8, "held_out": 8, "training": 12, "synthetic_of_other_views": 0}
    assert set(answer["measures"]) == {"copies", "cadence", "masks", "motion"}
    assert answer["unmeasured"] == []
    assert answer["measures"]["copies"]["synthetic"]["share"] == 0.0
    assert answer["measures"]["motion"]["synthetic_forward"]["value"] == 1.0
    assert answer["measures"]["copies"]["synthetic"]["matches"][0]["clip"] == "000/cl-01/090"
    assert {"rank1", "copies", "closer", "three_sample"} <= {row["measure"] for row in answer["rows"]}


def test_a_tree_whose_takes_name_no_condition_is_read_by_its_presets_rules(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As OU-MVLP and GREW: real takes 00 and 01, synthetic ones nm-01."""
    write_tree(tmp_path / "real", range(4), ("00", "01"), 45, seed=1)
    write_tree(tmp_path / "made", range(4), ("nm-01",), 30, seed=2)
    for command in (("clips", "--held-out", "1"), ("blind", "--out", str(tmp_path / "blind"), "--rows", "4"),
                    ("pairs", "--out", str(tmp_path / "sheet.png"))):  # fmt: skip
        options = (
            "--real",
            str(tmp_path / "real"),
            "--synthetic",
            str(tmp_path / "made"),
            "--config",
            "oumvlp",
            "--json",
        )
        assert evaluate(folder, *command, *options) == 0
        answer = json.loads(capsys.readouterr().out)
        if command[0] == "clips":
            assert answer["clips"]["held_out"] == answer["clips"]["training"] == 4
            assert {"rank1", "rank1_nm"} <= {row["measure"] for row in answer["rows"]}
    assert evaluate(folder, "gei", str(tmp_path / "real"), "--config", "oumvlp", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["gallery_takes"], answer["probe_takes"]) == (["01"], ["00"])


def test_novel_people_alone_are_measured_where_no_measure_needs_known_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--trained-weights", "weights", "--measures", "copies,masks,motion", "--jobs", "1")
    assert evaluate(folder, "clips", "--real", "real", "--synthetic", "novel", *options) == 0
    assert "0 people in common" in capsys.readouterr().out


def test_bad_input_is_one_line_and_the_right_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, message in (
        (("--synthetic", "novel"), 1, "no common person"),
        (("--synthetic", "novel", "--trained-weights", "weights"), 1, "--measures copies,masks,motion"),
        (("--synthetic", "other_view"), 1, "no common view"),
        (("--synthetic", "empty"), 1, "holds no clip"),
        (("--synthetic", "single"), 1, "1 synthetic clip(s)"),
        (("--synthetic", "nowhere"), 1, "there is no folder nowhere"),
        (("--synthetic", "made", "--held-out", "9"), 1, "no person has more than 9 takes"),
        (("--synthetic", "made", "--held-out", "none"), 2, "--held-out 'none'"),
        (("--synthetic", "made", "--held-out", "1", "--trained-weights", "weights"), 2, "both say"),
        (("--synthetic", "made", "--trained-weights", "empty"), 1, "no weights at"),
        (("--synthetic", "made", "--trained-weights", "bundled"), 1, "no person in common"),
        (("--synthetic", "made", "--measures", "copys"), 2, "did you mean 'copies'"),
        (("--synthetic", "made", "--views", "091"), 2, "did you mean '090'"),
    ):
        assert evaluate(folder, "clips", "--real", "real", *words) == code
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert len(errors) == 1
        assert message in errors[0]


def test_a_blind_sheet_is_written_and_scored(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "blind"
    options = ("--real", "real", "--synthetic", "made", "--out", str(out))
    assert evaluate(folder, "blind", *options, "--rows", "8") == 0
    assert "half of them real" in capsys.readouterr().out
    answers = {row["label"]: row["kind"] for row in json.loads((out / "key.json").read_text())}
    (out / "answers.json").write_text(json.dumps(answers))
    assert evaluate(folder, "blind", "--score", str(out / "key.json"), "--answers", str(out / "answers.json")) == 0
    assert capsys.readouterr().out.startswith("8 of 8 rows right: 100 % [63, 100], chance 50 %, p = 0.004")
    assert evaluate(folder, "blind", *options, "--rows", "8") == 1
    assert "is there already" in capsys.readouterr().err


def test_pairs_are_two_rows_each_and_none_in_common_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("pairs", "--real", "real", "--out", str(tmp_path / "s.png"), "--json", "--synthetic")
    assert evaluate(folder, *options, "made") == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 8
    assert cv2.imread(str(tmp_path / "s.png")).shape[0] == 16 * 65
    assert evaluate(folder, *options, "novel") == 1
    error = capsys.readouterr().err
    assert "share no person, condition and view" in error
    assert error.count("\n") == 1


def test_bad_blind_input_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, message in (
        (("--real", "real"), 2, "--synthetic is missing"),
        (("--real", "real", "--synthetic", "made", "--out", "x", "--rows", "7"), 2, "is odd"),
        (("--real", "real", "--synthetic", "made", "--out", "x", "--rows", "80"), 1, "fewer --rows"),
        (("--score", "key.json"), 2, "belong together"),
        (("--score", "nowhere.json", "--answers", "nowhere.json"), 1, "nowhere.json is not there"),
    ):
        assert evaluate(folder, "blind", *words) == code
        assert message in capsys.readouterr().err
