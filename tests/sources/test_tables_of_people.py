"""Tables as people have them: other languages, no header, lines before it, lists, mangled rows."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.domain import SPOTIFY_WEB_API
from twotower.core.errors import NotListening
from twotower.sources.files.csv import csv_origin, read_csv
from twotower.sources.files.file_format import LeftOut

NOW = datetime(2026, 6, 15, tzinfo=UTC)


def read(text: str | bytes, name: str = "music.csv"):
    raw = text if isinstance(text, bytes) else text.encode()
    left_out = LeftOut()
    return list(read_csv(io.BytesIO(raw), name, left_out, now=NOW)), left_out


def rows(text: str | bytes, name: str = "music.csv"):
    plays, _ = read(text, name)
    return [(play.artist, play.track, play.kind, play.count) for play in plays]


MONKEY = ("Low", "Monkey", "played", 3)


@pytest.mark.parametrize(
    "header",
    [
        *("Künstler;Titel;Wiedergaben", "Interpret;Songtitel;Anzahl", "Artiste;Titre;Écoutes"),
        *("Artista;Canción;Reproducciones", "Artista;Música;Reproduções"),
        *("Artista;Brano;Riproduzioni", "Artiest;Nummer;Aantal keer afgespeeld"),
        *("Wykonawca;Utwór;Liczba odtworzeń", "Sanatçı;Şarkı;Çalma sayısı"),
        *("Исполнитель;Трек;Количество прослушиваний", "アーティスト名;曲名;再生回数"),
        *("아티스트;곡명;재생 횟수", "艺人;歌曲;播放次数", "藝人;歌名;播放次數"),
        *("Artist Name;Song;Scrobbles", "SANATÇI;ŞARKI ADI;DİNLENME SAYISI"),
        *("Kunstler;Titel;Wiedergaben (gesamt)", "Artist(s);Track;Plays"),
    ],
)
def test_headers_in_the_languages_of_the_services(header: str):
    assert rows(f"{header}\nLow;Monkey;3\n") == [MONKEY]


@pytest.mark.parametrize(
    "text",
    [
        "My top songs of 2026\n\nartist,track,plays\nLow,Monkey,3\n",
        "# made by a program\n#v2\nartist,track,plays\nLow,Monkey,3\n# end\n",
        '"A paragraph, with commas","and quotes"\n\nArtist;Song;Plays\nLow;Monkey;3\n',
        '"artist,track,plays"\n"Low,Monkey,3"\n',
        '"artist;track;plays"\n"Low;""Monkey"";3"\n',
        "sep=;\nartist;track;plays\nLow;Monkey;3\n",
    ],
)
def test_the_header_is_the_first_line_that_names_an_artist_column(text: str):
    assert rows(text) == [MONKEY]


@pytest.mark.parametrize(
    "text",
    [
        "Low,Trust,Monkey,\nLow,Trust,Canada,02 Mar 2026 19:15\n",
        "Low,Trust,Monkey,02.03.2026 19:05:00 +00:00,,\nLow,,Canada,02.03.2026 19:15:00 +00:00,,\n",
        "Low\tMonkey\t2026-03-02T19:05:00Z\nLow\tCanada\t2026-03-02T19:15:00Z\n",
        "1772478300;Low;Monkey\n1772478900;Low;Canada\n",
        "Low,Monkey,3\nLow,Canada,1\n",
    ],
)
def test_a_table_without_a_header_is_read_if_its_values_tell_the_columns(text: str):
    assert [(artist, track) for artist, track, *_ in rows(text)] == [
        ("Low", "Monkey"),
        ("Low", "Canada"),
    ]


def test_without_a_header_the_column_that_repeats_more_is_the_artist():
    text = "".join(
        f"Song {n},{'Low' if n % 2 else 'Slint'},2026-03-{n + 1:02d}\n" for n in range(9)
    )
    assert {artist for artist, *_ in rows(text)} == {"Low", "Slint"}


@pytest.mark.parametrize(
    "text",
    [
        "channel,title,plays\n" + "UCx,Monkey,3\n" * 5,  # a header, but no artist in it
        "Monkey,2001\nCanada,2002\n",  # years are no plays
        "Low,Monkey\nSlint,Washer\n",
        "only text\n",
    ],
)
def test_values_that_tell_no_columns_are_no_listening(text: str):
    with pytest.raises(NotListening, match="no column is named artist"):
        rows(text)


def test_the_order_of_day_and_month_is_that_of_the_whole_column():
    days = [*range(1, 13), 25]
    british = "artist,date\n" + "".join(f"Low,{day:02d}/03/2026 19:05\n" for day in days)
    american = "artist,date\n" + "".join(f"Low,3/{day}/2026 7:05 PM\n" for day in days)
    for text in (british, american):
        plays, left_out = read(text)
        assert [play.at for play in plays] == [
            datetime(2026, 3, day, 19, 5, tzinfo=UTC) for day in days
        ]
        assert left_out.notes == []


def test_what_the_dates_leave_open_is_said():
    plays, left_out = read("artist,date\nLow,04/03/2026\nLow,soon\n")
    assert [play.at for play in plays] == [datetime(2026, 3, 4, tzinfo=UTC), None]
    assert left_out.notes == [
        "Dates such as 3/4 were read with the day first.",
        "Dates that weren't understood: 1.",
    ]
    _, left_out = read("Künstler;Datum\nLow;04/03/2026\n")  # the language tells it
    assert left_out.notes == []


@pytest.mark.parametrize(
    ("format_", "month"), [("DD/MM/YYYY", 3), ("mm/dd/yyyy", 4), ("TT.MM.JJJJ", 3)]
)
def test_a_format_in_the_header_tells_the_order(format_: str, month: int):
    plays, left_out = read(f"artist,Date ({format_})\nLow,04/03/2026\n")
    assert plays[0].at is not None
    assert (plays[0].at.month, left_out.notes) == (month, [])


def test_a_date_and_a_time_of_day_may_be_in_two_columns():
    plays, _ = read("Künstler;Titel;Datum;Uhrzeit\nLow;Monkey;02.03.2026;19:05\n")
    assert plays[0].at == datetime(2026, 3, 2, 19, 5, tzinfo=UTC)
    plays, _ = read("artist,track,time\nLow,Monkey,2026-03-02 19:05\n")
    assert plays[0].at == datetime(2026, 3, 2, 19, 5, tzinfo=UTC)


def test_durations_decide_what_counts():
    text = "artist,track,listening time,date\nLow,Monkey,278,2026-03-02\nLow,Canada,9,2026-03-02\n"
    assert [play.ms_played for play in read(text)[0]] == [278_000, 9_000]


def test_a_day_of_adding_is_no_play_and_an_empty_number_of_plays_neither():
    plays, _ = read("Artist,Name,Date Added,Plays\nLow,Monkey,2020-01-03,44\nSlint,Washer,,\n")
    assert [(play.artist, play.kind, play.count, play.at) for play in plays] == [
        ("Low", "played", 44, None),
        ("Slint", "saved", 1, None),
    ]
    assert rows("Artist,Title,Date added\nLow,Monkey,2020-01-03\n") == [
        ("Low", "Monkey", "saved", 1)
    ]


def test_lists_moved_between_services_are_lists():
    moved = (
        "Track name,Artist name,Album,Playlist name,Type,ISRC,Apple - id\n"
        "Monkey,Low,Trust,Rainy,Playlist,X,1\nWasher,Slint,S,Sunny,Playlist,X,2\n,Codeine,,,Favorite,,3\n"
    )
    plays, _ = read(moved)
    assert [(play.artist, play.kind, play.playlist) for play in plays] == [
        ("Low", "listed", "Rainy"),
        ("Slint", "listed", "Sunny"),
        ("Codeine", "saved", None),
    ]
    plays, _ = read("title;artist;album;isrc;addedDate\nMonkey;Low;Trust;X;\n", "late_nights.csv")
    assert (plays[0].kind, plays[0].playlist) == ("listed", "late nights")
    assert rows("name,artist,album,isrc,date\nMonkey,Low,T,X,2026-03-02\n")[0][2] == "played"


def test_only_exportifys_own_columns_make_a_table_one_of_exportify():
    youtube = b"Song URL,Song Title,Album Title,Artist Names\nhttps://x,Monkey,Trust,Low\n"
    assert csv_origin(io.BytesIO(youtube)) == "file"
    exportify = b"Track URI,Track Name,Artist Name(s)\n"
    moved = b"Track name,Artist name,Album,Playlist name,Type,ISRC,Spotify - id\n"
    for head in (exportify, moved):  # what came through Spotify's Web API keeps that origin
        assert csv_origin(io.BytesIO(head)) == SPOTIFY_WEB_API


def test_double_encoding_with_bytes_that_windows_lacks_is_decoded():
    assert rows("artist,plays\nÃ\x81sgeir &amp; Low,3\n") == [("Ásgeir & Low", None, "played", 3)]


NAME = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
VALID = st.tuples(st.just("valid"), st.tuples(NAME, NAME, st.integers(1, 99)))
MANGLED = st.tuples(
    st.just("mangled"),
    st.sampled_from(
        ['Low,"Monkey', '"Low,Monkey,3', 'a,b,c,d,"e', '"', ",", ",,,,,,", "x", '"a"b"c', "\ud800"]
    ),
)


def table_of(parts: Sequence[tuple[str, object]]) -> tuple[bytes, list[tuple[str, int]]]:
    """Return a table of valid and mangled rows, and the valid ones; each has its own number."""
    text = io.StringIO(newline="")
    text.write("artist,track,plays\n")
    table, valid = csv.writer(text, lineterminator="\n"), []
    for number, (kind, part) in enumerate(parts):
        if kind == "valid":
            artist, track, plays = part  # type: ignore[misc]
            table.writerow([f"Band {number} {artist}", track, plays])
            valid.append((f"Band {number}", plays))
        else:
            text.write(f"{part}\n")
    return text.getvalue().encode("utf-8", "replace"), valid


@given(st.lists(VALID | MANGLED, max_size=12))
def test_mangled_rows_cost_no_valid_one(parts: list[tuple[str, object]]):
    raw, valid = table_of(parts)
    counts = {(play.artist, play.count) for play in read(raw)[0]}
    for name, plays in valid:
        assert any(artist.startswith(name) and count == plays for artist, count in counts)
