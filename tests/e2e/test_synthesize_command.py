"""``gaitcrafter synthesize`` as a user types it, on tiny untrained weights."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.files import FileLock
from gaitcrafter_ext.silhouettes.store import SilhouetteStore, read_clip
from gaitcrafter_ext.vocabulary import ClipKey, identities_hash
from tests.unit.test_command_line import obey_interrupts

ROOT = Path(__file__).parents[2]
PEOPLE = ("sim-001", "sim-002", "sim-003")


def write_tiny_weights(folder: Path) -> Path:
    """Weights of three people, two conditions and two views, all numbers random."""
    import torch
    from gaitcrafter_ext.generator.export import write_weights

    from gaitcrafter_ext.generator.network import GaitUNet
    from gaitcrafter_ext.generator.weights import SamplingDefaults, TrainedOn, Vocabulary

    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = GaitUNet(identities=len(PEOPLE), conditions=2, channels=(8, 16, 64), blocks=(1, 1, 1), embedding=16)
        for parameter in denoiser.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
    vocabulary = Vocabulary(PEOPLE, ("nm", "cl"), {"000": 0.0, "090": 90.0})
    trained_on = TrainedOn("simulated", identities_hash(PEOPLE), ())
    sampling = SamplingDefaults("euler", 2, redraws=2)
    write_weights(folder, denoiser, vocabulary, trained_on, {}, 3.0, sampling, gait_cycle=(24.0, 30.0))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights"))


def clip_bytes(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.glob("pkl/*/*/*/*.pkl"))}


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run: a known and two novel people, twelve clips."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert synthesize(out, weights) == 0
    return out


def synthesize(out: Path, weights: Path, *more: str) -> int:
    return main(["synthesize", "--out", str(out), "--weights", str(weights), *WHO, *more])


WHO = ("--identities", "sim-002", "--novel", "2")


def test_a_run_gives_a_tree_for_opengait(made: Path) -> None:
    names = sorted(clip_bytes(made))
    people = ("sim-002", "syn-0001", "syn-0002")
    wanted = [f"pkl/{p}/{c}-01/{v}/{v}.pkl" for p in people for c in ("cl", "nm") for v in ("000", "090")]
    assert names == wanted
    clip = read_clip(made / names[0])
    assert clip.shape == (30, 64, 64)
    assert json.loads((made / "partition.json").read_text()) == {"TRAIN_SET": list(people), "TEST_SET": []}
    assert {path.name for path in made.iterdir()} == {
        *("pkl", "plan.json", "partition.json", "manifest.jsonl", "contact_sheet.png", "opengait_entry.yaml"),
        ".gaitcrafter",
    }


def test_people_takes_and_views_give_different_clips(made: Path) -> None:
    clips = clip_bytes(made)
    assert len(set(clips.values())) == len(clips)


@pytest.mark.parametrize("how", [["--batch-size", "5"], ["--batch-size", "1"]])
def test_the_batch_size_changes_no_byte(made: Path, weights: Path, tmp_path: Path, how: list[str]) -> None:
    assert synthesize(tmp_path, weights, *how) == 0
    assert clip_bytes(tmp_path) == clip_bytes(made)


def test_shards_change_no_byte(made: Path, weights: Path, tmp_path: Path) -> None:
    for shard in ("2/3", "1/3", "3/3"):
        assert synthesize(tmp_path, weights, "--shard", shard) == 0
    assert clip_bytes(tmp_path) == clip_bytes(made)
    assert (tmp_path / "manifest.jsonl").read_bytes() == (made / "manifest.jsonl").read_bytes()


def test_clips_that_walk_strangely_are_drawn_again_unless_told_otherwise(
    made: Path, weights: Path, tmp_path: Path
) -> None:
    assert synthesize(tmp_path / "out", weights, "--redraws", "0") == 0
    once, again = clip_bytes(tmp_path / "out"), clip_bytes(made)
    changed = {name for name in once if once[name] != again[name]}
    assert changed
    assert all("/090/" in name for name in changed)  # frontal views do not tell
    for out, said in ((made, {"times": 2, "shortest": 24.0, "longest": 30.0}), (tmp_path / "out", {})):
        assert all(record.redraws == said for record in manifest.read(out / "manifest.jsonl"))


def test_weights_that_do_not_know_how_people_walk_draw_once(
    made: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = shutil.copytree(weights, tmp_path / "older")
    card = json.loads((older / "card.json").read_text())
    del card["gait_cycle"], card["sampling"]["redraws"]
    (older / "card.json").write_text(json.dumps(card))
    assert synthesize(tmp_path / "out", older) == 0
    assert clip_bytes(tmp_path / "out") != clip_bytes(made)
    capsys.readouterr()
    assert synthesize(tmp_path / "again", older, "--redraws", "2") == 2
    assert "--redraws: 2; these weights do not say" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_a_seed_changes_the_clips(made: Path, weights: Path, tmp_path: Path) -> None:
    assert synthesize(tmp_path, weights, "--seed", "1") == 0
    ours, theirs = clip_bytes(tmp_path), clip_bytes(made)
    assert ours.keys() == theirs.keys()
    assert not set(ours.values()) & set(theirs.values())


def test_json_tells_what_was_made(made: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synthesize(made, weights, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["planned"], told["made"], told["kept"], told["complete"]) == (12, 0, 12, True)
    assert Path(told["contact_sheet"]).is_file()


def test_a_dry_run_counts_and_times_and_writes_nothing(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize(tmp_path / "out", weights, "--dry-run", "--json", "--casia-b") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["to_make"] == 3 * (6 + 2) * 2
    assert told["seconds"] > 0
    assert told["disk_bytes"] > told["to_make"] * 30 * 64 * 64
    assert not (tmp_path / "out").exists()


def test_defaults_are_ten_novel_people_in_all_conditions_and_views(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["synthesize", "--out", str(tmp_path / "o"), "--weights", str(weights), "--dry-run", "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["planned"] == 10 * 2 * 2


def real_tree(root: Path, people: tuple[str, ...] = PEOPLE) -> Path:
    store = SilhouetteStore(root, create=True)
    for name in people:
        for take in ("nm-01", "nm-02"):
            for view in ("000", "090"):
                store.write(ClipKey(name, take, view), np.full((5, 64, 64), 255, np.uint8))
    return root


def complete(real: Path, out: Path, weights: Path, *more: str) -> int:
    return main(["synthesize", "--out", str(out), "--weights", str(weights), "--complete", str(real), *more])


def test_complete_makes_only_what_the_root_lacks(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = real_tree(tmp_path / "real", (*PEOPLE, "a-test-person"))
    lacking = [ClipKey("sim-001", "nm-02", "090"), ClipKey("sim-003", "nm-01", "000")]
    for key in lacking:
        (real / key.relative_path).unlink()
    before = everything(real)
    assert complete(real, tmp_path / "out", weights) == 0
    assert SilhouetteStore(tmp_path / "out" / "pkl").keys() == lacking
    assert everything(real) == before


def test_complete_makes_a_condition_that_nobody_has(weights: Path, tmp_path: Path) -> None:
    real = real_tree(tmp_path / "real")
    assert complete(real, tmp_path / "out", weights, "--takes", "1", "--conditions", "cl", "--views", "090") == 0
    made = SilhouetteStore(tmp_path / "out" / "pkl").keys()
    assert made == [ClipKey(name, "cl-01", "090") for name in PEOPLE]


def test_a_complete_root_needs_nothing(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert complete(real_tree(tmp_path / "real"), tmp_path / "out", weights) == 0
    assert "lacks nothing" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--identities", "sim-009"], "--identities: unknown 'sim-009'; did you mean"),
        (["--identities", ""], "--identities: no name given"),
        (["--conditions", "bg"], "--conditions: unknown 'bg'"),
        (["--views", "091"], "--views: unknown '091'; did you mean '090'?"),
        (["--sampler", "eular"], "--sampler: unknown 'eular'; did you mean 'euler'?"),
        (["--novel", "-1"], "--novel: -1 is too small"),
        (["--takes", "0"], "--takes: 0 is too small"),
        (["--takes", "1", "--casia-b"], "not allowed with"),
        (["--frames", "60"], "--frames: 60; these weights make clips of 30 frames only"),
        (["--seed", "-1"], "--seed: -1 is too small"),
        (["--steps", "0"], "--steps: 0 is too small"),
        (["--redraws", "-1"], "--redraws: -1 is too small"),
        (["--guidance", "-1"], "--guidance: '-1' is not a finite number from 0 to 100"),
        (["--guidance", "nan"], "--guidance: 'nan' is not a finite number from 0 to 100"),
        (["--guidance", "1e39"], "--guidance: '1e39' is not a finite number from 0 to 100"),
        (["--novel", "99999999999", "--dry-run"], "--novel: 99999999999 is too large; at most 100000"),
        (["--takes", "99999999999", "--dry-run"], "--takes: 99999999999 is too large; at most 1000"),
        (["--novel", "\u00b2"], "--novel: '\u00b2' is not a whole number"),
        (["--identity-seed", "-1"], "--identity-seed: -1 is too small"),
        (["--false-match-rate", "5"], "--false-match-rate: '5' is not a finite number from 0 to 1"),
        (["--consistency", "nan"], "--consistency: 'nan' is not a finite number from 0 to 1"),
        (["--false-match-rate", "0.05"], "--false-match-rate: only with --filter"),
        (["--consistency", "0.5"], "--consistency: only with --filter"),
        (["--max-candidates", "7"], "--max-candidates: only with --filter"),
        (["--recogniser", "nowhere"], "--recogniser: only with --filter"),
        (["--batch-size", "0"], "--batch-size: 0 is too small"),
        (["--shard", "3/2"], "--shard: '3/2' is not I/N"),
        (["--blend-parents", "4"], "--blend-parents: 4; allowed: 2 to 3"),
        (["--concentration", "0"], "--concentration: '0' is not a finite number above 0"),
        (["--concentration", "inf"], "--concentration: 'inf' is not a finite number above 0"),
        (["--novel", "0", "--identities", "none"], "nobody to synthesize"),
        (["--identity", "all"], "unknown argument '--identity'; did you mean '--identities'?"),
    ],
)
def test_a_bad_option_is_one_line_and_writes_nothing(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["synthesize", "--out", str(tmp_path / "out"), "--weights", str(weights), *options]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The one line of a command that failed with 1; a bar may have stood where it stands."""
    assert code == 1
    line = capsys.readouterr().err.rpartition("\r")[2]
    assert line.count("\n") == 1
    assert line.startswith("error: ")
    return line


def test_a_root_of_other_people_is_refused(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = real_tree(tmp_path / "real", PEOPLE[:2])
    assert "trained on 3 people of 'simulated'" in refused(capsys, complete(real, tmp_path / "out", weights))
    assert "there is no folder" in refused(capsys, complete(tmp_path / "none", tmp_path / "out", weights))
    assert not (tmp_path / "out").exists()


def damage(weights: Path, to: Path, name: str) -> Path:
    shutil.copytree(weights, to)
    if name == "truncated":
        path = to / "denoiser" / "diffusion_pytorch_model.safetensors"
        path.write_bytes(path.read_bytes()[:1000])
    elif name == "without its file":
        (to / "denoiser" / "diffusion_pytorch_model.safetensors").unlink()
    elif name == "of another version":
        card = json.loads((to / "card.json").read_text())
        (to / "card.json").write_text(json.dumps({**card, "format": 99}))
    elif name == "with a torn card":
        (to / "card.json").write_text((to / "card.json").read_text()[:50])
    return to


@pytest.mark.parametrize("name", ["truncated", "without its file", "of another version", "with a torn card"])
def test_damaged_weights_are_refused_before_anything_is_written(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    damaged = damage(weights, tmp_path / "weights", name)
    refused(capsys, synthesize(tmp_path / "out", damaged))
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_there_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no weights at" in refused(capsys, synthesize(tmp_path / "out", tmp_path / "none"))


def test_another_plan_is_refused_until_forced(made: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(made)
    assert "another plan (other seed)" in refused(capsys, synthesize(made, weights, "--seed", "5"))
    assert "another plan (other seed)" in refused(capsys, synthesize(made, weights, "--seed", "5", "--dry-run"))
    assert everything(made) == before


def test_a_foreign_file_is_refused(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert "thesis.tex" in refused(capsys, synthesize(tmp_path, weights))
    assert everything(tmp_path) == {"thesis.tex": b"mine"}


def test_an_unwritable_output_is_refused(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    refused(capsys, synthesize(tmp_path / "file" / "out", weights))
    if os.geteuid() != 0:  # everything is writable for root
        tmp_path.chmod(0o500)
        assert "no permission" in refused(capsys, synthesize(tmp_path / "out", weights))


def test_a_second_run_of_a_shard_is_refused(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(tmp_path / ".gaitcrafter" / "shard-1-of-2.lock"):
        assert "shard 1/2" in refused(capsys, synthesize(tmp_path, weights, "--shard", "1/2"))
        assert synthesize(tmp_path, weights, "--shard", "2/2") == 0


def test_a_full_disk_is_one_line_and_a_rerun_goes_on(
    made: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, written = os.fsync, []

    def fill_up(handle: int) -> None:
        written.append(handle)
        if len(written) == 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fill_up)
        assert "the disk is full" in refused(capsys, synthesize(tmp_path, weights))
    assert 0 < len(clip_bytes(tmp_path)) < 12
    assert synthesize(tmp_path, weights) == 0
    assert clip_bytes(tmp_path) == clip_bytes(made)


def test_torch_is_not_loaded_before_a_bad_option_is_refused(weights: Path, tmp_path: Path) -> None:
    options = ["--weights", str(weights), "--views", "091"]
    script = (
        "import sys\nfrom gaitcrafter_ext.cli.main import main\n"
        f"code = main(['synthesize', '--out', {str(tmp_path / 'out')!r}, *{options!r}])\n"
        "assert code == 2, code\nassert 'torch' not in sys.modules\nassert 'diffusers' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def start(out: Path, weights: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "tools/synthesize.py", "--out", str(out), "--weights", str(weights), *WHO, *more]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=obey_interrupts)


def wait_for_clips(out: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(clip_bytes(out)) < count:
        assert time.monotonic() < deadline, "no clip appears"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_to_the_same_bytes(weights: Path, tmp_path: Path, stop: signal.Signals) -> None:
    slowly = ("--steps", "40", "--batch-size", "1")
    with start(tmp_path / "killed", weights, *slowly) as process:
        wait_for_clips(tmp_path / "killed", 3)
        second = start(tmp_path / "killed", weights, *slowly)
        assert "shard 1/1" in second.communicate()[1]
        assert second.returncode == 1
        process.send_signal(stop)
        errors = process.communicate()[1]
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130)
    assert "Traceback" not in errors
    assert len(clip_bytes(tmp_path / "killed")) < 12
    assert not (tmp_path / "killed" / "manifest.jsonl").exists()
    for out in ("killed", "straight"):
        with start(tmp_path / out, weights, "--steps", "40") as process:
            assert process.wait() == 0
    killed, straight = everything(tmp_path / "killed"), everything(tmp_path / "straight")
    hidden = [name for name in killed | straight if name.startswith(".gaitcrafter")]
    for name in (*hidden, "opengait_entry.yaml"):
        killed.pop(name, None)
        straight.pop(name, None)
    assert killed == straight
