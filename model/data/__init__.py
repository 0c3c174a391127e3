"""Photographs to arrays: preparation, prepared images, batches of them, and cars drawn by code."""
