"""Whisper models with CTranslate2 on the CPU: 16 kHz audio in, text out. The spectrogram is part of what is timed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from orchestrator.sut.backends import Array, Feeds, Runner
from orchestrator.sut.backends.options import chosen
from orchestrator.sut.bytelevel import read_tokens, spelled
from orchestrator.sut.faults import SutError, bad_input
from orchestrator.sut.mel import log_mel
from orchestrator.sut.signature import Signature, TensorSpec

_KNOWN = {"compute_type": ("float32", "int8")}
TEXT_BYTES = 1024  # of an answer at most; 224 tokens of English take about 900
_MOST_TOKENS = 224
_ENGLISH = ("<|en|>", "<|transcribe|>")


class WhisperBackend:
    """A model folder (`model` is the model.bin in it) that all workers share; greedy decoding without timestamps."""

    name = "ctranslate2"
    version: str = ctranslate2.__version__
    signature = Signature(
        (TensorSpec("audio", "int16", ("batch", "samples")),),
        (TensorSpec("text", "uint8", ("batch", TEXT_BYTES)),),
    )

    def __init__(self, model: Path, *, threads: int, workers: int, options: Mapping[str, str]) -> None:
        asked = chosen(self.name, options, _KNOWN)
        self._tokens = read_tokens(model.parent)
        self._whisper: Any = ctranslate2.models.Whisper(
            str(model.parent),
            device="cpu",
            compute_type=asked["compute_type"],
            inter_threads=workers,
            intra_threads=max(1, threads // workers),
        )
        language = _ENGLISH if self._whisper.is_multilingual else ()
        self._prompt = ["<|startoftranscript|>", *language, "<|notimestamps|>"]
        missing = [mark for mark in self._prompt if mark not in self._tokens]
        if missing:
            raise bad_input(model.parent, f"its vocabulary has no {missing[0]}: not a Whisper model")

    def runner(self, example: Feeds, batch: int) -> Runner:  # noqa: ARG002 - shapes need no preparation here
        """A runner for batches of up to `batch` recordings."""
        return _Transcribe(self._whisper, self._prompt, self._tokens, batch)


class _Transcribe:
    def __init__(self, whisper: Any, prompt: list[str], tokens: list[str], batch: int) -> None:
        self._whisper = whisper
        self._prompt = prompt
        self._tokens = tokens
        self._mels = whisper.n_mels
        self.batch = batch

    def __call__(self, feeds: Feeds) -> list[Array]:
        features = np.stack([log_mel(audio, self._mels) for audio in feeds["audio"]])
        results = self._whisper.generate(
            ctranslate2.StorageView.from_array(features),
            [self._prompt] * len(features),
            beam_size=1,
            max_length=_MOST_TOKENS,
        )
        texts = [spelled(self._tokens[token] for token in result.sequences_ids[0]) for result in results]
        longest = max(map(len, texts))
        if longest > TEXT_BYTES:
            raise SutError(f"an answer has {longest} bytes, more than the {TEXT_BYTES} there is room for")
        return [np.array(texts, f"S{TEXT_BYTES}").view(np.uint8).reshape(len(texts), TEXT_BYTES)]
