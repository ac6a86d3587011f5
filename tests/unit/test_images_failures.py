"""What a build's text is taken to mean: whose fault, worth another try or not, what to do."""

from __future__ import annotations

import pytest

from orchestrator.errors import ImageError, TransientImageError
from orchestrator.images.build import Tail, failure


@pytest.mark.parametrize(
    ("line", "kind", "remedy"),
    [
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", ImageError, "--ca-bundle"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", ImageError, "mirror"),
        ("ERROR: No matching distribution found for numpy==2.4.6", ImageError, "mirror"),
        ("OSError: [Errno 28] No space left on device", ImageError, "docker system df"),
        ("ReadTimeoutError: HTTPSConnectionPool(host='x'): Read timed out.", TransientImageError, ""),
        ("E: Failed to fetch x  503  Service Unavailable", TransientImageError, ""),
        ("Temporary failure in name resolution", TransientImageError, "DNS"),
        ("SyntaxError: invalid syntax", ImageError, "build.log"),
    ],
)
def test_a_failed_builds_last_lines_choose_kind_and_remedy(line: str, kind: type[ImageError], remedy: str) -> None:
    error = failure("generic-x", "RUN pip", ["before", line])
    assert type(error) is kind
    assert "at step 'RUN pip'" in str(error)
    assert line in str(error)
    assert remedy in (error.hint or "")


def test_a_certificate_fault_is_not_tried_again_though_pip_calls_it_a_broken_connection() -> None:
    pip = "Retrying (Retry(total=4)) after connection broken by 'SSLError(... CERTIFICATE_VERIFY_FAILED ...)'"
    assert not failure("x", None, [pip]).retryable


def test_credentials_in_build_output_are_not_shown() -> None:
    error = failure("x", None, ["Looking in indexes: https://alice:s3cret@mirror.example/simple"])
    assert "s3cret" not in str(error)


def test_the_tail_knows_its_step_and_forgets_colours_and_earlier_steps() -> None:
    passed: list[bytes] = []
    tail = Tail(passed.append)
    tail.take(b"Step 1/2 : RUN a\nfrom a\nStep 2/2 : RU")
    tail.take(b"N b\n\x1b[91mfrom b\x1b[0m\nunfinished")
    assert tail.step == "RUN b"
    assert [line for line in tail.lines if line] == ["from b", "unfinished"]
    assert b"".join(passed).startswith(b"Step 1/2")


def test_the_tail_reads_buildkits_steps_too() -> None:
    tail = Tail(lambda _: None)
    tail.take(b"#7 [packages 4/4] RUN /build/install.sh\n#7 0.311 boom\n")
    assert tail.step == "RUN /build/install.sh"
