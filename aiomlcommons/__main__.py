"""``python -m aiomlcommons``."""

from aiomlcommons.cli import run

if __name__ == "__main__":
    run()
