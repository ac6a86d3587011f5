"""Drive the C++ harness with TensorFlow Lite: the same program as `cpp`, in another image. Pure."""

from orchestrator.implementations.cpp import steps

__all__ = ["steps"]
