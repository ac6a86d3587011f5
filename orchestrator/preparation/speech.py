"""Spoken prompts with transcripts, as 16 kHz audio: Debian's packages of recordings, which the image holds.

The image that runs this step has the packages unpacked under MATERIAL (dockerfiles/generic/speech).
"""

from __future__ import annotations

import gzip
import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from orchestrator.preparation.dataset import Dataset, name_parameter
from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs

MATERIAL = Path("/opt/mlperf-docker/material")
BOOK = "usr/share/pocketsphinx/test/data/librivox"
PROMPTS = "usr/share/asterisk/sounds/en_US_f_Allison"
TRANSCRIPTS = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
RATE_HZ = 16_000
LONGEST_S = 10.0
WORDS_AT_LEAST = 8
DEFAULT_COUNT = 32
_PLAIN = re.compile(r"[A-Za-z][A-Za-z .,'!?]*")
_TAPS = 32  # of the interpolation filter, on each side


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """`audio` int16 [N, T] at 16 kHz, padded with silence; labels: the transcripts. Parameter `name`, `count`."""
    del inputs  # the material is in the image
    count = parameters.pop("count", str(DEFAULT_COUNT))
    name = name_parameter(parameters, "spoken-prompts")
    if not count.isdigit() or int(count) < 1:
        raise BadInput(f"count must be a whole number of at least 1, not {count!r}")
    if not MATERIAL.is_dir():
        raise BadInput(f"there is no material at {MATERIAL}: this step needs the image generic-prepare-speech")
    spoken = [*book(MATERIAL / BOOK), *prompts(MATERIAL / PROMPTS, MATERIAL / TRANSCRIPTS)][: int(count)]
    if len(spoken) < int(count):
        raise BadInput(f"only {len(spoken)} recordings fit; {count} are needed")
    longest = max(len(audio) for audio, _ in spoken)
    audio = np.zeros((len(spoken), longest), np.int16)
    for row, (samples, _) in enumerate(spoken):
        audio[row, : len(samples)] = samples
    labels = np.array([text.encode() for _, text in spoken])
    dataset = Dataset(name, {"audio": audio}, labels, "word_accuracy", "text")
    seconds = sum(len(samples) for samples, _ in spoken) / RATE_HZ
    say(f"wrote {name}: {dataset.write(output)} recordings, {seconds:.1f} s")


def book(folder: Path) -> Iterator[tuple[np.ndarray, str]]:
    """The sentences read from a book, with their transcripts (`<s> text </s> (file)` in each line)."""
    for line in _lines(folder / "transcription"):
        match = re.fullmatch(r"<s> (.*?) </s> \((\S+)\)", line.strip())
        if match is None:
            raise BadInput(f"a transcript is of another form: {line[:60]!r}")
        yield read_wave(folder / f"{match[2]}.wav"), match[1]


def prompts(folder: Path, transcripts: Path) -> Iterator[tuple[np.ndarray, str]]:
    """Prompts of eight words or more and at most 10 s, of words alone, each text once, in the transcripts' order."""
    seen: set[str] = set()
    for line in _lines(transcripts):
        name, _, text = line.partition(":")
        text = text.strip()
        path = folder / f"{name.strip()}.wav"
        heard = " ".join(re.findall(r"[a-z']+", text.lower()))
        if len(text.split()) < WORDS_AT_LEAST or not _PLAIN.fullmatch(text) or heard in seen:
            continue
        if not path.is_file():
            continue
        audio = read_wave(path)
        if len(audio) <= LONGEST_S * RATE_HZ:
            seen.add(heard)
            yield audio, text


def read_wave(path: Path) -> np.ndarray:
    """A mono recording of 16 bits at 8 or 16 kHz, as int16 at 16 kHz."""
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            raw = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise BadInput(f"{path.name} is not a readable recording: {error}") from error
    if form not in {(1, 2, RATE_HZ), (1, 2, RATE_HZ // 2)}:
        raise BadInput(f"{path.name}: {form[0]} channels, {8 * form[1]} bits, {form[2]} Hz are not supported")
    audio = np.frombuffer(raw, "<i2")
    return audio.astype(np.int16) if form[2] == RATE_HZ else doubled(audio)


def doubled(audio: np.ndarray) -> np.ndarray:
    """Twice the sampling rate: the samples, and between any two what a windowed sinc says."""
    places = np.arange(-_TAPS, _TAPS) + 0.5
    window = 0.5 + 0.5 * np.cos(np.pi * places / _TAPS)
    between = np.convolve(audio.astype(np.float64), np.sinc(places) * window)[_TAPS : _TAPS + len(audio)]
    twice = np.empty(2 * len(audio), np.int16)
    twice[0::2] = audio
    twice[1::2] = np.clip(np.rint(between), -32768, 32767)
    return twice


def _lines(path: Path) -> list[str]:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    return raw.decode("utf-8", "replace").splitlines()
