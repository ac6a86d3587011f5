"""The one error that a step raises when what it was given is at fault."""


class BadInput(Exception):  # noqa: N818 - reads as what it is
    """An input, a parameter or the output folder is not what the step needs; the text names it."""
