"""Zstandard: Python's own module, or its backport where Python is older than 3.14."""

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdDecompressor, ZstdError, compress
else:
    from backports.zstd import CompressionParameter, ZstdDecompressor, ZstdError, compress

__all__ = ["CompressionParameter", "ZstdDecompressor", "ZstdError", "compress"]
