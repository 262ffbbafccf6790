"""Five demo listeners with different tastes, to try the program with."""

from types import MappingProxyType

from twotower.core.domain import DEMO, Artist, Profile
from twotower.core.names import artist_key


def _demo(id: str, name: str, artists: str) -> Profile:
    """Return a demo listener; plays fall as a power law along the artists, from 400."""
    names = [each.strip() for each in artists.split(",")]
    plays = [float(round(400 / (rank + 1) ** 0.7)) for rank in range(len(names))]
    return Profile(
        id=f"demo-{id}",
        name=name,
        origin=DEMO,
        artists=MappingProxyType(
            {
                artist_key(each): Artist(each, count)
                for each, count in zip(names, plays, strict=True)
            }
        ),
    )


DEMOS = (
    _demo(
        "metal",
        "Metal and doom",
        "Opeth, Mastodon, Katatonia, Electric Wizard, Neurosis, Black Sabbath, Isis, Agalloch,"
        " My Dying Bride, Sleep, High on Fire, Meshuggah, Baroness, Om, Candlemass",
    ),
    _demo(
        "rap",
        "Hip hop, then and now",
        "Kendrick Lamar, Kanye West, J. Cole, OutKast, A Tribe Called Quest, Drake, Nas, Kid Cudi,"
        " Travis Scott, Chance the Rapper, Childish Gambino, MF DOOM, Tyler The Creator,"
        " Jay-Z, Frank Ocean",
    ),
    _demo(
        "indie",
        "Indie, quiet and loud",
        "Radiohead, Arcade Fire, The National, Sufjan Stevens, Beach House, Bon Iver, Grizzly Bear,"
        " Fleet Foxes, Animal Collective, Deerhunter, Low, Yo La Tengo, St. Vincent, Wilco",
    ),
    _demo(
        "electronic",
        "Machines at night",
        "Aphex Twin, Boards of Canada, Burial, Autechre, Four Tet, Massive Attack, Portishead,"
        " Flying Lotus, Kraftwerk, Amon Tobin, Tycho, Bonobo, Moderat, Jon Hopkins",
    ),
    _demo(
        "pop",
        "Pop with the lights on",
        "Lady Gaga, Rihanna, Britney Spears, Katy Perry, Beyoncé, Madonna, Kylie Minogue, Robyn,"
        " Taylor Swift, Ariana Grande, Dua Lipa, Carly Rae Jepsen, Kesha, Justin Timberlake",
    ),
)
