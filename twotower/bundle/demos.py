"""Six demo listeners of different regions and tastes, to try the program with."""

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
        "kpop",
        "K-pop, new generation",
        "NewJeans, aespa, IVE, LE SSERAFIM, Stray Kids, SEVENTEEN, BLACKPINK, TWICE, ITZY,"
        " (G)I-DLE, ENHYPEN, TOMORROW X TOGETHER, NMIXX, BTS",
    ),
    _demo(
        "mandopop",
        "Mandopop",
        "Jay Chou, Eason Chan, JJ Lin, Mayday, Stefanie Sun, G.E.M., Faye Wong, Joker"
        " Xue, Jacky Cheung, 李荣浩, David Tao, 告五人, Tanya Chua, Fish Leong, 毛不易, Khalil"
        " Fong, 张惠妹, Jolin Tsai",
    ),
    _demo(
        "brazil",
        "Funk and sertanejo",
        "Anitta, Ludmilla, Gusttavo Lima, Jorge & Mateus, Marília Mendonça, Luísa Sonza, Matuê,"
        " Pabllo Vittar, Luan Santana, Wesley Safadão, MC Hariel, L7NNON, Henrique & Juliano,"
        " Ana Castela, Zé Neto & Cristiano, Maiara & Maraisa, Ivete Sangalo, Alok, Thiaguinho,"
        " Racionais MC's, Emicida, IZA",
    ),
    _demo(
        "afrobeats",
        "Afrobeats from Lagos",
        "Burna Boy, Wizkid, Rema, Tems, Ayra Starr, Davido, Omah Lay, Fireboy DML, Mr Eazi, CKay,"
        " Tiwa Savage, Joeboy, Oxlade, Asake, Yemi Alade, Adekunle Gold, Maleek Berry, Fela Kuti,"
        " WSTRN, J Hus, Tekno, Kizz Daniel",
    ),
    _demo(
        "indie",
        "Indie of the 2020s",
        "Phoebe Bridgers, Big Thief, Mitski, Clairo, boygenius, Fontaines D.C., Wet Leg,"
        " Japanese Breakfast, Faye Webster, Alvvays, Weyes Blood, Lucy Dacus, Snail Mail, IDLES,"
        " Tame Impala, Beach House, Mac DeMarco, Angel Olsen, Sharon Van Etten, Car Seat Headrest,"
        " King Krule, Khruangbin",
    ),
    _demo(
        "metal",
        "Metal and doom",
        "Opeth, Mastodon, Gojira, Katatonia, Electric Wizard, Black Sabbath, Meshuggah, Neurosis,"
        " Sleep Token, Baroness, Agalloch, My Dying Bride, Spiritbox, Candlemass",
    ),
)
# No longer shown. Their links still work.
EARLIER_DEMOS = (
    _demo(
        "turkish-rap",
        "Turkish rap",
        "Ezhel, Murda, Motive, Şehinşah, Lvbel C5, UZI, Gazapizm, Sagopa Kajmer, Khontkar, Güneş,"
        " Batuflex, Reckol, Heijan, Ceza",
    ),
    _demo(
        "rap",
        "Hip hop, then and now",
        "Kendrick Lamar, Kanye West, J. Cole, OutKast, A Tribe Called Quest, Drake, Nas, Kid Cudi,"
        " Travis Scott, Chance the Rapper, Childish Gambino, MF DOOM, Tyler The Creator,"
        " Jay-Z, Frank Ocean",
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
