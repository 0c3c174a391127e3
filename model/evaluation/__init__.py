"""Scores of a trained model: what is compared with what, by which network, and how certain that is."""
