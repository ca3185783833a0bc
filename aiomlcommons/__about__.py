"""The version of the package: its own module, so that nothing imports the package root from below."""

__version__ = "0.1.0"
