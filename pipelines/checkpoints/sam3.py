"""The checkpoint of SAM 3, as its authors published it on the hub."""

from __future__ import annotations

from pipelines.checkpoints import MODEL, hub, table

FILES = (*MODEL, "processor_config.json", "tokenizer.json", "tokenizer_config.json")
NOTE = (
    "Its own licence: no non-commercial clause in the text of 19 November 2025, but it bars military, weapons, "
    "nuclear, espionage and ITAR uses, and who redistributes must pass it on. Access is reviewed by hand; refusals "
    "are reported."
)
PIXELS = {"size": (1008, 1008), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
"""What ``processor_config.json`` says, for random weights, which come without one."""

CHECKPOINTS = table(
    [
        hub("sam3", "facebook/sam3", "SAM License", files=FILES, commercial=None, gated=True, size_mb=3440,
            parameters_m=848, note=NOTE, pixels=PIXELS, config={}),
    ]
)  # fmt: skip
"""Its configuration is what transformers builds by default."""
