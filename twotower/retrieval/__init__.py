"""Ranking of vectors: exact search, similarity, map."""
