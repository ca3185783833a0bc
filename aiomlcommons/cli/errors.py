"""The errors of the command line itself."""


class UsageError(Exception):
    """Wrong usage: an option is missing or excludes another, or the configuration file is wrong. The exit code is 2."""
