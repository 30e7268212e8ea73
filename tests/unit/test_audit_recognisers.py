"""Whom recognisers know, by data set, and which of them chose the people they would judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gaitcrafter_ext.audit.data import Splits
from gaitcrafter_ext.audit.recognisers import chosen_by, filter_people, open_judges, open_recognisers
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.weights import checksum
from gaitcrafter_ext.recognition.checkpoint import MODEL_FILE, Card, save_recogniser
from gaitcrafter_ext.recognition.config import GaitSetConfig
from gaitcrafter_ext.recognition.filter_card import write_filter_card
from gaitcrafter_ext.recognition.networks import build_network
from gaitcrafter_ext.synthesis.folder import SELECTED
from gaitcrafter_ext.synthesis.identities import BlendSettings
from gaitcrafter_ext.synthesis.selection import FilterSettings, Screening, filter_request
from tests.filter_fakes import fake_card, try_codes
from tests.synthesis_fakes import CARD, SAMPLING


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = GaitSetConfig((4, 6, 8), 12, (4, 2))
    save_recogniser(tmp_path / "mine", build_network(config, 2), Card(config, ("001", "002")))
    return tmp_path / "mine"


def test_equal_names_are_the_same_person_unless_told_otherwise_and_no_two_recognisers_bear_one(folder: Path) -> None:
    (found,) = open_recognisers([str(folder)], "CASIA-B")
    assert (found.name, found.model, found.people) == ("mine", "gaitset", ("CASIA-B/001", "CASIA-B/002"))
    assert open_recognisers([str(folder)], "CASIA-B", other_people=True)[0].people == ()
    with pytest.raises(DataError, match="bear one name"):
        open_recognisers([str(folder), str(folder)], "x")
    with pytest.raises(MissingError, match="no recogniser in"):
        open_recognisers([str(folder.parent)], "x")


def test_a_filters_card_tells_the_data_set_and_whoever_chose_the_people_may_not_judge_them(
    folder: Path, tmp_path: Path
) -> None:
    card = fake_card(centre=0.15, clip=0.1)
    judge = replace(card, people=("simulated-1-seed9/001",), weights_sha256=checksum(folder / MODEL_FILE))
    write_filter_card(folder, judge)
    (found,) = open_recognisers([str(folder)], "simulated-1-seed0")
    assert found.people == ("simulated-1-seed9/001",)
    assert filter_people(found.fingerprint, [found]) == found.people
    assert filter_people("f" * 16, [found]) is None
    assert chosen_by(tmp_path) == ""
    request = filter_request(CARD, judge, FilterSettings(1, 60), BlendSettings(2), SAMPLING)
    screening = Screening(CARD, judge, request, lambda sampling: try_codes)
    chosen = screening.select(screening.known())
    (tmp_path / SELECTED).write_text(chosen.to_json())
    assert chosen_by(tmp_path) == found.fingerprint
    with pytest.raises(DataError, match="mine chose the novel people itself"):
        open_judges([str(folder)], "x", False, str(tmp_path), Splits((), (), (), ""))
    (tmp_path / SELECTED).write_text("{}")
    with pytest.raises(DataError, match="not selected identities"):
        chosen_by(tmp_path)


def test_the_packaged_recogniser_knows_people_of_another_seed_than_the_packaged_weights() -> None:
    (found,) = open_recognisers(["bundled"], "simulated-1-seed0")
    assert found.name == "bundled"
    assert {name.split("/")[0] for name in found.people} == {"simulated-1-seed101"}
    assert filter_people(found.fingerprint, []) == found.people
