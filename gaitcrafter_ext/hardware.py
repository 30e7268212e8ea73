"""What the machine computes fast."""

from __future__ import annotations

__all__ = ["multiplies_bfloat16"]


def multiplies_bfloat16(device_type: str) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 on this machine's ``"cpu"`` or ``"cuda"``.

    A CPU has instructions for it (AVX512-BF16, AMX) or imitates it: on one with AVX2 only, a product in bfloat16 took
    80 times as long as in float32.
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.is_bf16_supported()
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device_type == "cpu" and any(bool(getattr(torch.cpu, name, lambda: False)()) for name in probes)
