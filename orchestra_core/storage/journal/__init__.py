"""The append-only journal: what the engine says of a request reaches the kernel here before the client's last byte.

files.py     the file operations, as a seam for tests that let each of them fail
records.py   what a record is, and how it stands in a file
segments.py  the files of a journal: named, created, held against a second engine
scan.py      one segment read from its beginning, up to the first thing wrong with it
replay.py    what an engine that starts finds of the one before it
writing.py   the side of the event loop: appends, never waits, never raises
reading.py   the side of the writer thread: groups to be stored, and files to be removed once they are
"""
