"""Signatures of published images, in cosign's format: ECDSA over a small payload, kept beside the image as a tag.

A key only, no certificate and no transparency log. Needs the optional package `cryptography` (extra `signing`).
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.image import ImageRef
from orchestrator.errors import ImageError
from orchestrator.images.registry import OCI_MANIFEST, Registry
from orchestrator.images.registry_faults import ImageMissingError, TamperedImageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PASSWORD_VARIABLE = "MLPERF_DOCKER_SIGN_PASSWORD"  # noqa: S105 - the name of a variable
_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_EPOCH = "0001-01-01T00:00:00Z"


def signature_tag(digest: str) -> str:
    """The tag under which the signatures of a manifest digest stand: `sha256-<hex>.sig`."""
    return f"{digest.replace(':', '-')}.sig"


def payload_of(reference: ImageRef, digest: str) -> bytes:
    """What is signed: which image, under which name."""
    critical = {
        "identity": {"docker-reference": reference.name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def sign(registry: Registry, reference: ImageRef, digest: str, key: Path) -> str:
    """Sign a manifest digest with a private key (PEM) and store the signature; the tag it stands under."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    payload = payload_of(reference, digest)
    signature = base64.b64encode(private_key(key).sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
    layer = registry.put_blob(payload)
    config = json.dumps(
        {
            "architecture": "",
            "config": {},
            "created": _EPOCH,
            "history": [{"created": _EPOCH}],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        }
    ).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": _CONFIG, "size": len(config), "digest": registry.put_blob(config)},
        "layers": [
            {
                "mediaType": _PAYLOAD,
                "size": len(payload),
                "digest": layer,
                "annotations": {_SIGNATURE: signature},
            }
        ],
    }
    registry.put_manifest(signature_tag(digest), document)
    return signature_tag(digest)


def check_signature(registry: Registry, reference: ImageRef, digest: str, key: Path) -> None:
    """TamperedImageError unless a signature by this public key (PEM) covers exactly this manifest digest."""
    public = public_key(key)
    try:
        manifest = registry.manifest(signature_tag(digest))
    except ImageMissingError as error:
        raise TamperedImageError(
            f"{reference} ({digest[:19]}…) is not signed, and the setting 'image_key' wants a signature by {key}",
            hint="use images of whoever has that key, or take the setting out",
        ) from error
    for layer in manifest.document.get("layers", ()):
        payload = registry.blob(str(layer["digest"]))
        signature = str((layer.get("annotations") or {}).get(_SIGNATURE, ""))
        if _holds(public, payload, signature) and _covers(payload, digest):
            return
    raise TamperedImageError(
        f"{reference} ({digest[:19]}…) is not signed by the key in {key}",
        hint="do not use it before whoever publishes it has explained that; or name their key in 'image_key'",
    )


def private_key(path: Path) -> EllipticCurvePrivateKey:
    """A private EC key out of a PEM file; the password, if it has one, out of MLPERF_DOCKER_SIGN_PASSWORD."""
    _needs_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        found = load_pem_private_key(_read(path), password.encode() if password else None)
    except (ValueError, TypeError) as error:
        raise ImageError(
            f"{path} is not a private key that can be used: {error}",
            hint=f"make one with: openssl ecparam -genkey -name prime256v1 -noout; its password goes into "
            f"{PASSWORD_VARIABLE}",
        ) from error
    if not isinstance(found, EllipticCurvePrivateKey):
        raise ImageError(f"{path} is not an EC key", hint="openssl ecparam -genkey -name prime256v1 -noout makes one")
    return found


def public_key(path: Path) -> EllipticCurvePublicKey:
    """A public EC key out of a PEM file."""
    _needs_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        found = load_pem_public_key(_read(path))
    except ValueError as error:
        raise ImageError(f"{path} is not a public key: {error}", hint="openssl ec -in KEY -pubout makes one") from error
    if not isinstance(found, EllipticCurvePublicKey):
        raise ImageError(f"{path} is not an EC key", hint="signatures are ECDSA over P-256, as cosign makes them")
    return found


def _holds(key: EllipticCurvePublicKey, payload: bytes, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key.verify(base64.b64decode(signature), payload, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _covers(payload: bytes, digest: str) -> bool:
    try:
        return bool(json.loads(payload)["critical"]["image"]["docker-manifest-digest"] == digest)
    except (ValueError, KeyError, TypeError):
        return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"the key {path} cannot be read: {error.strerror}", hint="correct its path") from error


def _needs_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise ImageError(
            "signatures need the Python package 'cryptography'", hint="pip install 'mlperf-docker[signing]'"
        ) from error
