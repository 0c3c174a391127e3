"""What the fuzzer draws."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """One hostile thing: a request to the server, an answer to the client, or photographs to prepare.

    Parameters
    ----------
    name : str
        What is wrong with it, for the report.
    method, path : str
        Which operation of the server it is for; for an answer or photographs, what else they are.
    data : bytes
        All of it, as it goes over the wire.
    expected : set of int
        Statuses that may answer it; empty: any that the route's description names.
    target : str
        ``server``, ``client`` or ``preparation``.
    repeated : str
        What is sent without end after `data`, in Latin-1.
    """

    name: str
    method: str
    path: str
    data: bytes
    expected: frozenset[int] = frozenset()
    target: str = "server"
    repeated: str = ""
