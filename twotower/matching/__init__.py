"""Facade: embed a profile, rank its neighbours, explain them."""
