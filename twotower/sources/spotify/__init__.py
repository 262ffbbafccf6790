"""Spotify Web API: sign-in, profile, playlists."""
