"""Scores of a trained model: what is compared with what, by whose eyes, and how sure that is."""
