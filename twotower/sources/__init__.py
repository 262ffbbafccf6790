"""Listening histories from outside, each read into our own `Play`."""
