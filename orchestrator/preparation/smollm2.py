"""Turn SmolLM2-135M from its published GGUF file into a CTranslate2 model folder that a generator can load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.gguf import Gguf
from orchestrator.preparation.inputs import Inputs

END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"
QUANTIZATIONS = ("int8", "float16", "float32")


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """Write config.json, model.bin and vocabulary.json; parameter `quantization`: int8, float16 or float32."""
    quantization = parameters.get("quantization", "int8")
    if set(parameters) - {"quantization"} or quantization not in QUANTIZATIONS:
        raise BadInput(f"this step takes quantization={'|'.join(QUANTIZATIONS)} and nothing else")
    source = inputs.one("*.gguf")
    say(f"reading {source.name}")
    spec = _spec(Gguf(source))
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    spec.save(str(output))
    say(f"wrote a CTranslate2 model, {(output / 'model.bin').stat().st_size} bytes")


def _spec(source: Gguf) -> Any:
    from ctranslate2.specs import common_spec, transformer_spec

    if source.settings.get("general.architecture") != "llama":
        raise BadInput("the GGUF file does not hold a Llama-like model")
    layers = int(source.number("llama.block_count"))
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers,
        int(source.number("llama.attention.head_count")),
        activation=common_spec.Activation.SWISH,
        pre_norm=True,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=True,  # GGUF keeps the two halves of a rotated pair side by side
        rotary_base=source.number("llama.rope.freq_base"),
        num_heads_kv=int(source.number("llama.attention.head_count_kv")),
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = source.tensor("token_embd.weight")
    decoder.projection.weight = source.tensor("token_embd.weight")  # one matrix serves both ends
    decoder.layer_norm.gamma = source.tensor("output_norm.weight")
    for number, layer in enumerate(decoder.layer):
        _layer(source, f"blk.{number}", layer)
    spec.config.bos_token = END_OF_TEXT
    spec.config.eos_token = END_OF_TURN
    spec.config.unk_token = END_OF_TEXT
    spec.config.layer_norm_epsilon = source.number("llama.attention.layer_norm_rms_epsilon")
    spec.register_vocabulary(source.texts("tokenizer.ggml.tokens"))
    return spec


def _layer(source: Gguf, name: str, layer: Any) -> None:
    attention = layer.self_attention
    attention.layer_norm.gamma = source.tensor(f"{name}.attn_norm.weight")
    attention.linear[0].weight = np.concatenate([source.tensor(f"{name}.attn_{part}.weight") for part in "qkv"])
    attention.linear[1].weight = source.tensor(f"{name}.attn_output.weight")
    layer.ffn.layer_norm.gamma = source.tensor(f"{name}.ffn_norm.weight")
    layer.ffn.linear_0.weight = source.tensor(f"{name}.ffn_gate.weight")
    layer.ffn.linear_0_noact.weight = source.tensor(f"{name}.ffn_up.weight")
    layer.ffn.linear_1.weight = source.tensor(f"{name}.ffn_down.weight")
