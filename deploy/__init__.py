"""All that knows AWS: the templates, the function's archive, publishing, the page's bucket, the stack."""


class Failure(Exception):  # noqa: N818 - not a bug's error, an outcome
    """A command can't go on; the text says why and what to do, and is all that is shown."""
