"""``python -m plimsoll``."""

from .cli import main

main()
