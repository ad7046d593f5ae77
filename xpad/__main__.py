"""``python -m xpad`` is the command line."""

from xpad.cli import console

if __name__ == "__main__":
    console()
