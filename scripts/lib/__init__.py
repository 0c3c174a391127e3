"""What the commands share; each module is one subject."""


class Failure(Exception):  # noqa: N818 - not a bug's error, an outcome
    """A command can't go on; the text says why and what to do, and is all that is shown."""
