"""``gaitcrafter synthesize`` as a user types it, on tiny untrained weights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.dataset import DatasetConfig
from gaitcrafter_ext.silhouettes.partition import Partition
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_clip, read_frames
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.vocabulary import ClipKey
from tests.refusals import assert_refused, content_of, refused
from tests.synthesis_fakes import TINY_PEOPLE, tree_bytes, walking_tree, write_tiny_weights
from tests.unit.test_command_line import obey_interrupts

ROOT = Path(__file__).parents[2]
WHO = ("--identities", "sim-002", "--novel", "2", "--steps", "1", "--guidance", "1")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights"))


def clip_bytes(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.glob("pkl/*/*/*/*.pkl"))}


def synthesize(out: Path, weights: Path, *more: str, who: tuple[str, ...] = WHO) -> int:
    return main(["synthesize", "--out", str(out), "--weights", str(weights), *who, *more])


@pytest.fixture(scope="module")
def made(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run: a known and two novel people, twelve clips."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert synthesize(out, weights) == 0
    return out


def test_a_run_gives_a_tree_for_opengait_of_different_clips(made: Path) -> None:
    clips = clip_bytes(made)
    people = ("sim-002", "syn-0001", "syn-0002")
    assert sorted(clips) == [
        f"pkl/{p}/{c}-01/{v}/{v}.pkl" for p in people for c in ("cl", "nm") for v in ("000", "090")
    ]
    assert len(set(clips.values())) == len(clips)
    assert read_clip(made / next(iter(clips))).shape == (30, 64, 64)
    assert json.loads((made / "partition.json").read_text()) == {"TRAIN_SET": list(people), "TEST_SET": []}
    beside = {"plan.json", "partition.json", "manifest.jsonl", "contact_sheet.png", "opengait_entry.yaml", "index.html"}
    assert {path.name for path in made.iterdir()} == {"pkl", ".gaitcrafter", *beside}


def test_shards_and_batch_sizes_change_no_byte(made: Path, weights: Path, tmp_path: Path) -> None:
    for shard, size in (("2/3", "1"), ("1/3", "3"), ("3/3", "8")):
        assert synthesize(tmp_path / "out", weights, "--shard", shard, "--batch-size", size) == 0
    assert tree_bytes(tmp_path / "out") == tree_bytes(made)
    long = ("--frames", "60", "--views", "090", "--conditions", "nm")
    for size in ("2", "8"):
        assert synthesize(tmp_path / size, weights, *long, "--batch-size", size) == 0
    assert clip_bytes(tmp_path / "2") == clip_bytes(tmp_path / "8")
    assert read_clip(tmp_path / "2/pkl/sim-002/nm-01/090/090.pkl").shape == (60, 64, 64)


def test_a_seed_or_a_cadence_changes_every_clip(made: Path, weights: Path, tmp_path: Path) -> None:
    for option, value in (("--seed", "1"), ("--cadence", "35")):
        out = tmp_path / value
        assert synthesize(out, weights, option, value) == 0
        ours, theirs = clip_bytes(out), clip_bytes(made)
        assert ours.keys() == theirs.keys()
        assert not set(ours.values()) & set(theirs.values())
    assert {record.cycle for record in manifest.read(tmp_path / "35/manifest.jsonl")} == {35.0}


def test_clips_have_the_size_asked_for_and_names_and_width_of_the_datasets_own(made: Path, tmp_path: Path) -> None:
    rules = DatasetConfig("simulated", file="{view}-aligned-sils.pkl", columns=44)
    narrow = write_tiny_weights(tmp_path / "weights", rules)
    few = ("--conditions", "nm", "--views", "090")
    for size, shape in (("64", (30, 64, 44)), ("128", (30, 128, 88))):
        assert synthesize(tmp_path / size, narrow, *few, "--size", size) == 0
        assert read_frames(tmp_path / size / "pkl/syn-0001/nm-01/090/090-aligned-sils.pkl").shape == shape
    square = read_clip(made / "pkl/syn-0001/nm-01/090/090.pkl")
    assert (read_frames(tmp_path / "64/pkl/syn-0001/nm-01/090/090-aligned-sils.pkl") == square[:, :, 10:54]).all()


def test_json_says_what_was_made_and_a_dry_run_counts_and_times_and_writes_nothing(
    made: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize(made, weights, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["planned"], facts["made"], facts["kept"], facts["complete"]) == (12, 0, 12, True)
    assert Path(facts["contact_sheet"]).is_file()
    assert synthesize(tmp_path / "out", weights, "--dry-run", "--json", "--casia-b") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["to_make"] == 3 * (6 + 2) * 2
    assert facts["seconds"] > 0
    assert synthesize(tmp_path / "out", weights, "--dry-run", "--json", who=()) == 0
    assert json.loads(capsys.readouterr().out)["planned"] == 10 * 2 * 2  # ten novel people are the default
    assert not (tmp_path / "out").exists()


def test_automatic_precision_is_that_of_the_clips_that_are_there_or_else_the_devices(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--conditions", "nm", "--views", "090")
    for fast in (True, False):  # another machine goes on
        monkeypatch.setattr("gaitcrafter_ext.synthesis.run.multiplies_bfloat16", lambda device, fast=fast: fast)
        assert synthesize(tmp_path, weights, *few) == 0
        assert json.loads((tmp_path / "plan.json").read_text())["sampling"]["precision"] == "bf16"
    capsys.readouterr()
    code = synthesize(tmp_path, weights, *few, "--precision", "fp32")
    assert "another plan (other precision)" in refused(capsys, code)


def complete(real: Path, out: Path, weights: Path, *more: str) -> int:
    return synthesize(out, weights, "--complete", str(real), *more, who=())


def test_complete_makes_only_what_the_root_lacks(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = walking_tree(tmp_path / "real", (*TINY_PEOPLE, "a-test-person"), ("nm-01", "nm-02"))
    assert complete(real, tmp_path / "out", weights) == 0
    assert "lacks nothing" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    lacking = [ClipKey("sim-001", "nm-02", "090"), ClipKey("sim-003", "nm-01", "000")]
    for key in lacking:
        (real / key.path()).unlink()
    before = content_of(real)
    assert complete(real, tmp_path / "out", weights) == 0
    assert SilhouetteStore(tmp_path / "out" / "pkl").keys() == lacking
    assert content_of(real) == before
    assert complete(real, tmp_path / "cl", weights, "--takes", "1", "--conditions", "cl", "--views", "090") == 0
    assert SilhouetteStore(tmp_path / "cl" / "pkl").keys() == [ClipKey(name, "cl-01", "090") for name in TINY_PEOPLE]


def test_complete_reads_takes_without_conditions_by_the_weights_rules(tmp_path: Path) -> None:
    rules = DatasetConfig("oumvlp", takes_pattern=r"\d+", columns=44)
    weights = write_tiny_weights(tmp_path / "weights", rules)
    real = walking_tree(tmp_path / "real", TINY_PEOPLE, ("00", "01"), rules)
    (real / "sim-002/01/090/090.pkl").unlink()
    assert complete(real, tmp_path / "out", weights, "--conditions", "nm") == 0
    assert [path.name for path in (tmp_path / "out/pkl/sim-002/01").iterdir()] == ["090"]
    assert read_frames(tmp_path / "out/pkl/sim-002/01/090/090.pkl").shape == (30, 64, 44)
    assert len(clip_bytes(tmp_path / "out")) == 1


def test_people_like_those_of_a_tree_keep_their_names_and_cadence(weights: Path, tmp_path: Path) -> None:
    real = walking_tree(tmp_path / "real", ("ann", "bob", "tess"), ("nm-01", "nm-02"))
    Partition(("ann", "bob"), ("tess",)).save(tmp_path / "partition.json")
    (real / "bob/nm-02/000/000.pkl").unlink()
    like = ("--like", str(real))
    assert synthesize(tmp_path / "all", weights, *like, who=()) == 0
    assert OutputFolder(tmp_path / "all").plan().identities == ("ann", "bob")  # type: ignore[union-attr]
    cycles = [record.cycle for record in manifest.read(tmp_path / "all/manifest.jsonl")]
    assert cycles == [pytest.approx(26, abs=0.5)] * 8
    assert synthesize(tmp_path / "some", weights, *like, "--like-people", "bob", "--novel", "1", who=()) == 0
    assert {name.split("/")[1] for name in clip_bytes(tmp_path / "some")} == {"bob", "syn-0001"}
    assert complete(real, tmp_path / "lack", weights, *like) == 0
    assert list(clip_bytes(tmp_path / "lack")) == ["pkl/bob/nm-02/000/000.pkl"]


def test_a_bad_option_is_one_line_and_writes_nothing(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, said in (
        (["--identities", "sim-009"], "--identities: unknown 'sim-009'; did you mean"),
        (["--identities", ""], "--identities: no name given"),
        (["--conditions", "bg"], "--conditions: unknown 'bg'"),
        (["--views", "091"], "--views: unknown '091'; did you mean '090'?"),
        (["--sampler", "eular"], "--sampler: unknown 'eular'; did you mean 'euler'?"),
        (["--takes", "0"], "--takes: 0 is too small"),
        (["--takes", "1", "--casia-b"], "not allowed with"),
        (["--frames", "19"], "--frames: 19 is too small; at least 20"),
        (["--frames", "601"], "--frames: 601 is too large; at most 600"),
        (["--cadence", "5"], "--cadence: '5'; allowed: frames a gait cycle (10 to 80)"),
        (["--guidance", "nan"], "--guidance: 'nan' is not a finite number from 0 to 100"),
        (["--novel", "99999999999", "--dry-run"], "--novel: 99999999999 is too large; at most 100000"),
        (["--novel", "\u00b2"], "--novel: '\u00b2' is not a whole number"),
        (["--false-match-rate", "0.05"], "--false-match-rate: only with --filter"),
        (["--recogniser", "nowhere"], "--recogniser: only with --filter"),
        (["--partition", "p.json"], "--partition: only with --like"),
        (["--shard", "1/2", "--engine", "ray"], "--engine ray makes its own shards"),
        (["--shard", "3/2"], "--shard: '3/2' is not I/N"),
        (["--blend-parents", "4"], "--blend-parents: 4; allowed: 2 to 3"),
        (["--concentration", "inf"], "--concentration: 'inf' is not a finite number above 0"),
        (["--novel", "0", "--identities", "none"], "no person to synthesize"),
        (["--novel", "1", "--complete", "real"], "--novel: 1 with --complete"),
        (["--filter", "--complete", "real"], "--filter: with --complete"),
        (["--identity", "all"], "unknown argument '--identity'; did you mean '--identities'?"),
    ):
        command = ["synthesize", "--out", str(tmp_path / "out"), "--weights", str(weights), *options]
        assert_refused(command, 2, said, tmp_path, capsys)


def test_unusable_weights_and_a_folder_of_another_plan_are_refused_before_anything_is_written(
    made: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = shutil.copytree(weights, tmp_path / "weights")
    file = damaged / "denoiser" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert "does not match the checksum" in refused(capsys, synthesize(tmp_path / "out", damaged))
    assert "no weights at" in refused(capsys, synthesize(tmp_path / "out", tmp_path / "none"))
    assert not (tmp_path / "out").exists()
    before = content_of(made)
    for more in ((), ("--dry-run",)):
        assert "another plan (other seed)" in refused(capsys, synthesize(made, weights, "--seed", "5", *more))
    assert content_of(made) == before


def start(tool: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    command, pipe, env = [sys.executable, f"tools/{tool}.py", *words], subprocess.PIPE, {**os.environ, **environment}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True, preexec_fn=obey_interrupts)


def run_ranks(tool: str, *words: str) -> list[str]:
    """What two processes of a launcher say."""
    ranks = [start(tool, *words, WORLD_SIZE="2", RANK=rank, LOCAL_RANK=rank) for rank in ("0", "1")]
    said = [process.communicate() for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], said
    return [out for out, _ in said]


@pytest.mark.slow
def test_processes_of_a_launcher_share_a_run_that_the_last_one_finishes(
    made: Path, weights: Path, tmp_path: Path
) -> None:
    said = run_ranks("synthesize", "--out", str(tmp_path), "--weights", str(weights), *WHO)
    assert all("6 clips made" in out for out in said)
    assert tree_bytes(tmp_path) == tree_bytes(made)


@pytest.mark.slow
def test_tasks_of_a_ray_cluster_share_a_run_of_the_same_bytes(
    made: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # on a busy machine
    command = [sys.executable, "tools/synthesize.py", "--out", str(tmp_path / "out"), "--weights", str(weights), *WHO]
    ran = subprocess.run([*command, "--engine", "ray", "--ray-tasks", "2", "--json"], cwd=ROOT, stdout=subprocess.PIPE)
    facts = json.loads(ran.stdout.splitlines()[-1])
    assert (facts["made"], facts["complete"]) == (12, True)
    assert tree_bytes(tmp_path / "out") == tree_bytes(made)
    parts = {path.name for path in (tmp_path / "out/.gaitcrafter").glob("*.jsonl")}
    assert parts == {"shard-1-of-2.jsonl", "shard-2-of-2.jsonl"}


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_to_the_same_bytes(weights: Path, tmp_path: Path, stop: signal.Signals) -> None:
    wish = ("--weights", str(weights), *WHO, "--steps", "40")
    slowly = ("synthesize", "--out", str(tmp_path / "killed"), *wish, "--batch-size", "1")
    deadline = time.monotonic() + 120
    with start(*slowly) as process:
        while len(clip_bytes(tmp_path / "killed")) < 3:
            assert time.monotonic() < deadline, "no clip appears"
            time.sleep(0.01)
        second = start(*slowly)
        assert "shard 1/1" in second.communicate()[1]
        assert second.returncode == 1
        process.send_signal(stop)
        errors = process.communicate()[1]
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130)
    assert "Traceback" not in errors
    assert len(clip_bytes(tmp_path / "killed")) < 12
    assert not (tmp_path / "killed" / "manifest.jsonl").exists()
    for out in ("killed", "straight"):
        with start("synthesize", "--out", str(tmp_path / out), *wish) as process:
            assert process.wait() == 0
    assert tree_bytes(tmp_path / "killed") == tree_bytes(tmp_path / "straight")
