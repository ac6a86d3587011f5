"""Log-mel spectrograms as Whisper wants them: 30 s of 16 kHz audio, 25 ms windows every 10 ms. numpy alone."""

from __future__ import annotations

from functools import cache

import numpy as np

from orchestrator.sut.backends import Array
from orchestrator.sut.faults import SutError

RATE_HZ = 16_000
SECONDS = 30
WINDOW = 400
HOP = 160
FRAMES = SECONDS * RATE_HZ // HOP


def log_mel(audio: Array, mels: int) -> Array:
    """float32 [mels, 3000] of int16 samples [T]; what is shorter than 30 s is followed by silence."""
    wanted = SECONDS * RATE_HZ
    if len(audio) > wanted:
        raise SutError(f"a recording has {len(audio) / RATE_HZ:.1f} s; Whisper takes at most {SECONDS}")
    padded = np.zeros(wanted + WINDOW, np.float32)
    half = WINDOW // 2
    padded[half : half + len(audio)] = audio.astype(np.float32) / 32768
    padded[:half] = padded[half + 1 : 2 * half + 1][::-1]  # mirrored at the start; at the end there is silence
    if len(audio) > wanted - half:
        padded[wanted + half :] = padded[wanted : wanted + half][::-1]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:-1:HOP][:FRAMES]
    power = np.abs(np.fft.rfft(frames * _window(), axis=1)) ** 2
    spectrum = np.log10(np.maximum(_filters(mels) @ power.T, 1e-10))
    spectrum = np.maximum(spectrum, spectrum.max() - 8.0)
    return np.ascontiguousarray((spectrum + 4.0) / 4.0, np.float32)


@cache
def _window() -> Array:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


@cache
def _filters(mels: int) -> Array:
    """Triangles of equal area [mels, 201] on Slaney's mel scale from 0 to 8 kHz."""
    edges = _hertz(np.linspace(0.0, _mel(RATE_HZ / 2), mels + 2))
    bins = np.linspace(0.0, RATE_HZ / 2, WINDOW // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_LINEAR_HZ = 200.0 / 3  # hertz for each mel below 1 kHz
_KNEE_HZ = 1000.0
_STEP = np.log(6.4) / 27.0  # above it, logarithmic


def _mel(hertz: float) -> float:
    if hertz < _KNEE_HZ:
        return hertz / _LINEAR_HZ
    return _KNEE_HZ / _LINEAR_HZ + float(np.log(hertz / _KNEE_HZ)) / float(_STEP)


def _hertz(mels: Array) -> Array:
    knee = _KNEE_HZ / _LINEAR_HZ
    return np.where(mels < knee, mels * _LINEAR_HZ, _KNEE_HZ * np.exp(_STEP * (mels - knee)))
