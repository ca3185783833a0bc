"""What is wrong with a decoder, other than a crash."""


class Difference(AssertionError):
    """A decoder that gives something else than the slow way, or what no caller could use."""
