"""Presets of known datasets, and the rules of any other: what is read, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.generator.config import load_config
from gaitcrafter_ext.silhouettes.clip import normalise
from gaitcrafter_ext.silhouettes.dataset import load_dataset, preset_names, preset_path
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.silhouettes.verify import verify
from gaitcrafter_ext.vocabulary import ClipKey

# Of each preset: a take and its condition, a view and its angle, the file that is read (OpenGait's own tutorials).
READ = {
    "simulated": ("cl-02", "cl", "090", 90.0, "090.pkl"),
    "casia-b": ("bg-01", "bg", "018", 18.0, "018.pkl"),
    "casia-b-star": ("nm-06", "nm", "018", 18.0, "018-aligned-sils.pkl"),
    "oumvlp": ("00", "nm", "270", 270.0, "270.pkl"),
    "gait3d": ("camid33_videoid2", "nm", "seq0", None, "seq0.pkl"),
    "gait3d-merged": ("camid33_videoid2", "nm", "seq0", None, "sils-seq0.pkl"),
    "grew": ("00", "nm", "4XPn5Z28", None, "4XPn5Z28.pkl"),
    "ccpg": ("U0_D0_BG", "U0_D0_BG", "01_1", None, "01_1-aligned-sils.pkl"),
    "sustech1k": ("03-cl-nt", "cl", "045", 45.0, "06-045-Camera-Sils_aligned.pkl"),
}
VARIANTS = ("simulated-small", "simulated-population")


def test_presets_read_the_datasets_own_names() -> None:
    assert {*READ, *VARIANTS} == set(preset_names())
    for name, (take, condition, view, degrees, file) in READ.items():
        dataset = load_dataset(name)
        assert dataset == load_config(name).dataset
        assert (dataset.condition_of(take), dataset.view_deg(view)) == (condition, degrees), name
        assert ClipKey("1", take, view).path(dataset.file).name == file
        assert dataset.protocol is not None


# Frames of what lies beside silhouettes: ratios, RGB images, points, body models.
OTHER = {"ratios": (), "HW": (2,), "rgb": (3, 8, 8), "RGB": (8, 8, 3), "PCD": (16, 3), "Pose": (17, 3), "smpls": (85,)}

# SUSTech1K's sixteen files, by OpenGait's tutorial.
SUSTECH1K = [
    *("00-{}-LiDAR-PCDs", "01-{}-LiDAR-PCDs_depths", "02-{}-LiDAR-PCDs_sils", "03-{}-Camera-Pose"),
    *("04-{}-Camera-Ratios-HW", "05-{}-Camera-RGB_raw", "06-{}-Camera-Sils_aligned", "07-{}-Camera-Sils_raw"),
    *("08-sync-{}-LiDAR-PCDs", "09-sync-{}-LiDAR-PCDs_depths", "10-sync-{}-LiDAR-PCDs_sils", "11-sync-{}-Camera-Pose"),
    *("12-sync-{}-Camera-Ratios-HW", "13-sync-{}-Camera-RGB_raw", "14-sync-{}-Camera-Sils_aligned"),
    "15-sync-{}-Camera-Sils_raw",
]

# Of each dataset: view folders as they lie on the disk, the files in one, height and width of the silhouettes.
FOUR = ("{}-aligned-sils", "{}-ratios", "{}-rgbs", "{}-sils")
LAYOUTS = {
    "casia-b": (("001/nm-01/000", "075/cl-02/180"), ("{}",), (64, 64)),
    "casia-b-star": (("001/nm-01/000", "075/cl-02/180"), FOUR, (64, 44)),
    "oumvlp": (("00001/00/000", "00002/01/270"), ("{}",), (64, 64)),
    "grew": (("00001train/00/4XPn5Z28", "00001/02/t16VLaQf"), ("{}",), (64, 64)),
    "gait3d": (("0000/camid0_videoid2/seq0", "0002/camid33_videoid2/seq1"), ("{}",), (64, 44)),
    "gait3d-merged": (("0000/camid0_videoid2/seq0",), ("sils-{}", "smpls-{}"), (128, 128)),
    "ccpg": (("000/U0_D0/01_1", "100/U0_D0_BG/10_0"), FOUR, (64, 64)),
    "sustech1k": (("0000/00-nm/000-far", "0001/02-bg-nt/045"), tuple(SUSTECH1K), (64, 64)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_tree_as_the_dataset_leaves_it_is_listed_read_and_verified(tmp_path: Path, name: str) -> None:
    folders, files, size = LAYOUTS[name]
    clip = np.zeros((6, *size), np.uint8)
    clip[:, 2:-2, size[1] // 2 - 8 : size[1] // 2 + 8] = 255
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        for file in files:
            other = next((shape for kind, shape in OTHER.items() if kind in file and "sils" not in file.lower()), None)
            content = clip if other is None else np.ones((6, *other), np.float32)
            (tmp_path / folder / f"{file.format(Path(folder).name)}.pkl").write_bytes(pickle.dumps(content))
    store = SilhouetteStore(tmp_path, load_dataset(name))
    keys = [ClipKey(*folder.split("/")) for folder in sorted(folders)]
    assert store.keys() == keys
    assert all(np.array_equal(store.read_real(key), normalise(clip)) for key in keys)
    assert store.look(keys).columns == (64 if size[0] == size[1] else 44)
    report = verify(tmp_path, dataset=store.dataset)
    assert (report.ok, report.sizes) == (True, {f"{size[0]}x{size[1]}": len(folders)})


# What OpenGait's evaluators compare: (preset, column, takes of the gallery, of the probes, neither).
COMPARED = [
    ("casia-b", "NM", ["nm-01", "nm-04"], ["nm-05", "nm-06"], ["bg-01", "nm-07"]),
    ("oumvlp", "NM", ["01"], ["00"], ["02"]),
    ("ccpg", "CL", ["U1_D1", "U2_D2", "U3_D3"], ["U0_D0", "U0_D0_BG"], ["U0_D3"]),
    ("sustech1k", "Night", ["00-nm"], ["02-bg-nt", "04-nt"], ["01-nm"]),
    ("grew", "GREW", ["01"], ["02"], ["00"]),
]


def test_the_protocols_are_opengaits() -> None:
    for preset, column, gallery, probes, neither in COMPARED:
        protocol = load_dataset(preset).protocol
        assert protocol is not None
        takes = gallery + probes + neither
        assert [take for take in takes if protocol.in_gallery(take, column)] == gallery
        assert [take for take in takes if protocol.is_probe(take, column)] == probes


def test_rules_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    for text, message in (
        ("{views: {000: 0}}", "'dataset.views' names 0, which is not text; put it in quotes, e.g. '000'"),
        ("{views: {front: 400}}", "'dataset.views.front' is 400; input should be less than 360"),
        ("{takes_pattern: '('}", "'\\(' is no regular expression \\(missing \\)"),
        ("{file: a/b.pkl}", "dataset.file is 'a/b.pkl'; expected a file name"),
        ("{columns: 48}", "'dataset.columns' is 48; input should be 44 or 64"),
        ("{protocol: {gallery: [a]}}", "probes names no take"),
        ("{protocol: {probe_set: true, gallery: [a]}}", "in the place of"),
        ("{protocol: {probes: {A: [a]}, galleries: {A: [b], B: [c]}}}", "no probes 'B'"),
        ("{takes_patern: x}", "unknown key 'dataset.takes_patern'; did you mean 'takes_pattern'"),
    ):
        (tmp_path / "c.yaml").write_text(f"dataset: {text}\n")
        with pytest.raises(UsageError, match=rf"\A.*c\.yaml: .*{message}.*\Z"):
            load_dataset(tmp_path / "c.yaml")


def test_a_config_is_a_file_or_a_preset() -> None:
    assert preset_path("casia-b").name == "casia-b.yaml"
    with pytest.raises(MissingError, match="no config or preset 'casiab'; did you mean 'casia-b'"):
        preset_path("casiab")
    with pytest.raises(MissingError, match=r"nowhere\.yaml is not there; .*or a preset: casia-b"):
        preset_path("nowhere.yaml")
