"""What can go wrong between client and server, in text that is safe to show in a terminal."""

LONGEST_TEXT = 300


class ClientError(Exception):
    """A request came to nothing; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(plain(text))


class Refused(ClientError):  # noqa: N818 - says what happened
    """The server answered with an error, or with something else than it was asked for.

    Parameters
    ----------
    status : int
        Of HTTP.
    detail : str
        What the server says is wrong, or what is wrong with its answer.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = plain(detail)


def plain(text: str) -> str:
    """Escape what doesn't print, such as a terminal's control sequences, and cut what is too long."""
    start = text[: LONGEST_TEXT + 1]
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in start)
    return shown if len(shown) <= LONGEST_TEXT else shown[:LONGEST_TEXT] + "..."
