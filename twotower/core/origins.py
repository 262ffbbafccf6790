"""Origins of profiles: the sources that a listener's data may come from."""

from twotower.core.domain import DEMO, SPOTIFY_WEB_API, SYNTHETIC

FILE = "file"
PICKED = "picked"  # made of names alone
SERVICES = ("listenbrainz", "lastfm")
# Names of public data sets, of parts of them that count less, and of listeners drawn from charts.
DATASETS = (
    "archive",
    "audioscrobbler",
    "chart",
    "editorial",
    "germany",
    "hetrec",
    "kexp",
    "listenbrainz",
    "mpd",
    "mpd-withheld",
    "netease",
    "netease-tv",
    "philippines",
    "tidytuesday",
    "vagalume",
)
ORIGINS = frozenset((FILE, PICKED, *SERVICES, *DATASETS, SYNTHETIC, DEMO, SPOTIFY_WEB_API))


def known_origin(text: str) -> str:
    """Return one of `ORIGINS`, or several joined by "+"; any other part becomes "file".

    Files may say anything there, and others see it.
    """
    parts = (part.strip() for part in text.casefold().split("+"))
    return "+".join(dict.fromkeys(part if part in ORIGINS else FILE for part in parts))


def is_known_origin(text: str) -> bool:
    """Return True if every part of an origin is one of `ORIGINS`."""
    return all(part.strip() in ORIGINS for part in text.casefold().split("+"))
