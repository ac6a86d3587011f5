"""The machine we run on: the only subprocess, the only atomic write, the only retry policies."""
