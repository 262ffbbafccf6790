"""Genre words, and the words for countries that stand beside them in an artist's content."""

from collections.abc import Iterable

HOME = "home:"  # prefix of the word for the country where most of an artist's streams come from


def is_genre(word: str) -> bool:
    """Return False for the word of a country, such as "home:tr"."""
    return not word.startswith(HOME)


def only_genres(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words that are genres, in their order."""
    return tuple(word for word in words if is_genre(word))
