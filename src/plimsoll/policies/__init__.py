"""The published schedulers, one file per family. A class here with a ``rank`` is in the catalogue."""
