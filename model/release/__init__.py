"""Trained models on disk: released weights, and bundles, of which this package is the only writer."""
