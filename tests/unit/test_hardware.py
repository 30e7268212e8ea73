import pytest
import torch

from gaitcrafter_ext.hardware import multiplies_bfloat16, resolve_precision


@pytest.mark.parametrize("avx512", [True, False])
@pytest.mark.parametrize("amx", [True, False])
def test_a_cpu_multiplies_bfloat16_with_either_instruction_set(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert multiplies_bfloat16("cpu") is (avx512 or amx)
    assert resolve_precision("auto", torch.device("cpu")) == ("bfloat16" if avx512 or amx else "float32")


def test_other_devices_keep_full_precision() -> None:
    assert not multiplies_bfloat16("mps")


def test_a_definite_precision_is_taken_as_asked() -> None:
    assert resolve_precision("bfloat16", torch.device("cpu")) == "bfloat16"
