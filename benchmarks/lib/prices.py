"""What AWS asks for a function behind an HTTP API, and what a million requests come to."""

import dataclasses

#: us-east-1, x86, first tier, in US dollars, as of 2025; from aws.amazon.com/lambda/pricing and
#: aws.amazon.com/api-gateway/pricing. The free tier is left out.
GB_SECOND = 0.0000166667
MILLION_REQUESTS = 0.20
MILLION_HTTP_API_REQUESTS = 1.00

#: serverless.yml's memory, one whole core.
MEMORY_MB = 1769


@dataclasses.dataclass(frozen=True)
class Cost:
    """US dollars for a million requests."""

    computing: float
    cold_starts: float
    requests: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.computing + self.cold_starts + self.requests


def of_a_million(warm_ms: float, cold_s: float, cold_share: float, memory_mb: float = MEMORY_MB) -> Cost:
    """The cost of a million requests of `warm_ms` each, of which `cold_share` (0 to 1) start the function first.

    Lambda counts each request in whole milliseconds, rounded up, and since August 2025 the start as well.
    """
    gigabytes = memory_mb / 1024
    warm_s = -(-warm_ms // 1) / 1000
    cold_s = -(-cold_s * 1000 // 1) / 1000
    return Cost(
        computing=1e6 * warm_s * gigabytes * GB_SECOND,
        cold_starts=1e6 * cold_share * cold_s * gigabytes * GB_SECOND,
        requests=MILLION_REQUESTS + MILLION_HTTP_API_REQUESTS,
    )
