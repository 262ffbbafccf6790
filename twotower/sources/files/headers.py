"""Headers of tables in the services' languages, as columns of ours."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from twotower.core.domain import AUDIO

_Spellings = Mapping[str, tuple[str, ...]]  # our column -> headers, preferred ones first

_ENGLISH: _Spellings = {
    "artist": (
        *("artist names", "artist name", "artist", "artists", "track artist", "track artists"),
        *("artist name 1", "song artist", "master_metadata_album_artist_name", "creator"),
        *("album artist names", "album artist name", "album artist", "band", "performer"),
    ),
    "track": (
        *("track name", "track", "track title", "song name", "song title", "song", "title"),
        *("master_metadata_track_name", "content name", "name"),
    ),
    "plays": (
        *("plays", "play count", "scrobbles", "listens", "times played", "streams", "count"),
        *("scrobble count", "listen count", "track play count", "total plays", "number of plays"),
    ),
    "ms_played": (
        *("ms_played", "play duration milliseconds", "stream_duration_ms", "play duration (ms)"),
        *("ms listened", "milliseconds played", "listening time (ms)", "duration played (ms)"),
    ),
    "s_played": (
        *("seconds played", "listening time", "listening time (s)", "play duration (s)"),
        *("seconds listened", "played seconds", "listening time (seconds)", "s_played"),
    ),
    "at": (
        *("played at", "listened at", "utc time", "uts", "timestamp", "ts", "end time"),
        *("event end timestamp", "datetime", "date time", "date and time", "date played"),
        *("play date", "entry date", "scrobbled at", "scrobble time", "scrobble date"),
        *("listen date", "played on", "date"),
    ),
    "clock": ("time", "time of day"),  # beside a date without one
    "added": ("added at", "date added", "added", "added date", "added on", "date added to library"),
    "genres": ("genres", "genre", "artist genres", "tags"),
    "duration_ms": ("duration (ms)", "track duration (ms)", "media duration in milliseconds"),
    "released": ("release date", "album release date", "released"),
    "time_signature": ("time signature",),
    "uri": ("track uri", "spotify uri", "spotify id"),
    "ids": ("artist ids", "artist uri(s)", "artist uri"),
    "label": ("record label",),
    "event": ("event type",),
    "playlist": ("playlist name", "playlist", "playlist title"),
    "list_type": ("type",),
    "isrc": ("isrc",),
    **{name: (name,) for name in AUDIO},
}
# German, French, Spanish, Portuguese, Italian, Dutch, Polish, Turkish, Russian, Japanese, Korean,
# Chinese, and some neighbours of these.
_OTHER_LANGUAGES: _Spellings = {
    "artist": (
        *("künstler", "kuenstler", "künstlername", "interpret", "interpreten", "artiste"),
        *("artistes", "nom de l'artiste", "interprète", "artista", "artistas", "intérprete"),
        *("nombre del artista", "nome do artista", "nome artista", "artiest", "artiesten"),
        *("naam artiest", "uitvoerder", "wykonawca", "wykonawcy", "artysta", "nazwa wykonawcy"),
        *("sanatçı", "sanatçılar", "sanatçı adı", "исполнитель", "исполнители", "артист"),
        *("имя исполнителя", "виконавець", "アーティスト", "アーティスト名", "歌手", "歌手名"),
        *("아티스트", "아티스트명", "아티스트 이름", "가수", "艺人", "藝人", "艺术家", "藝術家"),
        *("演出者", "表演者", "kunstner", "artistnamn", "esittäjä", "umělec", "előadó", "nghệ sĩ"),
        *("album-interpret", "albumkünstler", "artiste de l'album", "artista del álbum"),
        *("artista do álbum", "artista album", "albumartiest"),
        *("name des künstlers", "nom artiste", "nombre artista", "artiestnaam", "sanatçı ismi"),
        *("имя артиста", "가수 이름", "艺术家名称", "藝人名稱", "歌手名称"),
    ),
    "track": (
        *("titel", "titelname", "songtitel", "lied", "titre", "titre du morceau", "morceau"),
        *("chanson", "título", "titulo", "canción", "cancion", "nombre de la canción", "pista"),
        *("faixa", "música", "musica", "nome da faixa", "nome da música", "titolo", "brano"),
        *("canzone", "traccia", "titolo del brano", "naam nummer", "nummer", "liedje", "tytuł"),
        *("utwór", "piosenka", "tytuł utworu", "şarkı", "şarkı adı", "parça", "parça adı"),
        *("трек", "песня", "композиция", "название трека", "название песни", "название"),
        *("曲名", "曲", "楽曲", "トラック", "トラック名", "タイトル", "곡명", "곡", "노래", "제목"),
        *(
            "트랙",
            "트랙명",
            "歌曲",
            "歌名",
            "歌曲名",
            "歌曲名称",
            "歌曲名稱",
            "曲目",
            "标题",
            "標題",
        ),
        *("låt", "sang", "kappale", "bài hát", "nom", "nome", "nombre", "naam", "nazwa", "ad"),
        *("名前", "이름", "名称", "名稱"),
        *("name des songs", "titel des songs", "nom du titre", "nom du morceau", "nombre canción"),
        *("título de la canción", "nombre de canción", "título da música", "título da faixa"),
        *(
            "titolo brano",
            "nome brano",
            "titel nummer",
            "nazwa utworu",
            "şarkı ismi",
            "şarkı başlığı",
        ),
        *("название композиции", "楽曲名", "曲のタイトル", "노래 제목", "곡 제목", "트랙 제목"),
    ),
    "plays": (
        *("wiedergaben", "anzahl wiedergaben", "wiedergabezähler", "abspielungen", "gespielt"),
        *("anzahl", "écoutes", "lectures", "nombre d'écoutes", "nombre de lectures"),
        *("nb d'écoutes", "nb écoutes", "reproducciones", "número de reproducciones"),
        *("veces reproducida", "escuchas", "reproduções", "número de reproduções"),
        *("contagem de reproduções", "execuções", "riproduzioni", "numero di riproduzioni"),
        *("ascolti", "numero di ascolti", "aantal keer", "aantal keer afgespeeld"),
        *("keer afgespeeld", "afspeelbeurten", "keren gespeeld", "aantal", "odtworzenia"),
        *("liczba odtworzeń", "odsłuchania", "çalma sayısı", "çalınma sayısı", "çalınma"),
        *("dinlenme", "dinlenme sayısı", "oynatma sayısı", "прослушивания", "прослушиваний"),
        *("количество прослушиваний", "число прослушиваний", "кол-во прослушиваний"),
        *("воспроизведения", "количество воспроизведений", "再生回数", "再生数", "재생 횟수"),
        *("재생 수", "播放次数", "播放次數", "播放量", "播放数", "收听次数", "次数", "次數"),
        *("afspilninger", "spelningar", "toistokerrat", "antal", "anzahl der wiedergaben"),
        *("wie oft gespielt", "nb lectures", "nb de lectures", "nombre écoutes"),
        *(
            "n reproducciones",
            "veces escuchada",
            "n reproduções",
            "número de execuções",
            "n ascolti",
        ),
        *("n riproduzioni", "aantal keren afgespeeld", "aantal afspeelbeurten", "afgespeeld"),
        *("ilość odtworzeń", "liczba odsłuchań", "çalma", "çalınma adedi", "dinlenme adedi"),
        *("число воспроизведений", "кол-во воспроизведений", "прослушано"),
    ),
    "at": (
        *("datum", "zeitpunkt", "datum und uhrzeit", "gespielt am", "abgespielt am", "gehört am"),
        *("date et heure", "date d'écoute", "écouté le", "horodatage", "fecha", "fecha y hora"),
        *("fecha de reproducción", "data", "data e hora", "data de reprodução", "reproduzido em"),
        *("data e ora", "data di riproduzione", "datum en tijd", "tijdstip", "afgespeeld op"),
        *("data i godzina", "data odtworzenia", "tarih", "tarih ve saat", "dinlenme tarihi"),
        *("дата", "дата и время", "дата прослушивания", "日付", "日時", "再生日時", "再生日"),
        *("날짜", "일시", "재생일", "재생 날짜", "재생 일시", "日期", "播放时间", "播放時間"),
        *("播放日期", "日期时间", "日期時間", "dato", "päivämäärä", "ngày"),
    ),
    "clock": (
        *("uhrzeit", "zeit", "heure", "hora", "ora", "tijd", "godzina", "czas", "saat", "zaman"),
        *("время", "時刻", "시간", "时间", "時間"),
    ),
    "added": (
        *("hinzugefügt", "hinzugefügt am", "date d'ajout", "ajouté le", "ajouté", "añadido"),
        *("fecha de adición", "fecha añadido", "añadido el", "adicionado", "adicionado em"),
        *("data de adição", "data em que foi adicionado", "aggiunto", "data aggiunta"),
        *("data di aggiunta", "toegevoegd", "toegevoegd op", "datum toegevoegd", "dodano"),
        *("data dodania", "eklendi", "eklenme tarihi", "добавлено", "дата добавления", "追加日"),
        *("추가된 날짜", "추가일", "添加日期", "添加时间", "加入日期"),
    ),
    "genres": (
        *("genres musicaux", "género", "gênero", "genere", "gatunek", "tür", "жанр", "ジャンル"),
        *("장르", "流派", "類型"),
    ),
    "playlist": (
        *("nom de la playlist", "nombre de la playlist", "nome da playlist", "nome playlist"),
        *("naam afspeellijst", "afspeellijst", "nazwa playlisty", "lista de reproducción"),
        *(
            "wiedergabeliste",
            "плейлист",
            "プレイリスト",
            "プレイリスト名",
            "플레이리스트",
            "播放列表",
        ),
    ),
}


_BRACKETS = re.compile(r"[(\[][^)\]]*[)\]]")
# "DD/MM", "TT.MM", "JJ-MM" or "MM/DD"
_DATE_FORMAT = re.compile(r"(?:\b((?:dd?|tt?|jj?|gg?)[./-]mm?)|\bmm?[./-]dd?)\b", re.IGNORECASE)


def plain_header(text: str) -> str:
    """Return a header in lower case without blanks and punctuation: "Song Title" -> "songtitle".

    Accents are dropped too, as some programs do. Last.fm writes a user name behind a "#", which is
    cut.
    """
    folded = unicodedata.normalize("NFKD", text.split("#")[0].casefold())
    return "".join(filter(str.isalnum, folded)).replace("ı", "i")


def _plain(spellings: _Spellings) -> _Spellings:
    return {column: tuple(map(plain_header, names)) for column, names in spellings.items()}


_PLAIN_ENGLISH, _PLAIN_OTHERS = _plain(_ENGLISH), _plain(_OTHER_LANGUAGES)


@dataclass(frozen=True, slots=True)
class Header:
    """Positions of the known columns of a table."""

    columns: Mapping[str, int]  # our name -> position
    headers: frozenset[str]  # all of them, plain
    guests: tuple[int, ...] = ()  # positions of further artists of the row
    day_first: bool | None = None  # order of its dates, None if the header doesn't tell

    @property
    def has_spotify_ids(self) -> bool:
        """True if the rows come from Spotify's Web API, through Exportify or a like program."""
        return "uri" in self.columns and not self.headers.isdisjoint(("artistnames", "artistname"))

    @property
    def is_exportify(self) -> bool:
        """True for the columns of Exportify and its relatives."""
        return self.has_spotify_ids and "trackname" in self.headers and not self.is_moved_list

    @property
    def is_moved_list(self) -> bool:
        """True for lists that a program such as TuneMyMusic, Soundiiz or FreeYourMusic moves."""
        is_list = "playlist" in self.columns or "isrc" in self.columns
        return is_list and not self.columns.keys() & {"plays", "at", "ids", "label"}

    @property
    def is_library(self) -> bool:
        """True for a table that says when tracks were added, and nothing of plays."""
        return "added" in self.columns and not self.columns.keys() & {"plays", "at"}

    @property
    def semicolons_separate_artists(self) -> bool:
        """True for Exportify's files since 2025. Older ones use commas, as some names do too."""
        return self.is_exportify and "label" in self.columns and "ids" not in self.columns


def read_header(names: Iterable[str]) -> Header:
    """Find our columns among the names of a table's columns."""
    names = list(names)
    positions: dict[str, int] = {}
    for at, name in enumerate(names):
        positions.setdefault(plain_header(name), at)
    positions.pop("", None)
    headers = frozenset(positions)
    for at, name in enumerate(names):  # "Date (DD/MM/YYYY)"
        positions.setdefault(plain_header(_BRACKETS.sub("", name)), at)
    columns: dict[str, int] = {}
    day_first = _day_first(names)
    for spellings in (_PLAIN_ENGLISH, _PLAIN_OTHERS):
        for column, words in spellings.items():
            if column in columns:
                continue
            found = next((positions[word] for word in words if word in positions), None)
            if found is not None and found not in columns.values():
                columns[column] = found
                if day_first is None and spellings is _PLAIN_OTHERS:
                    day_first = True  # as in all languages but English
    guests = (positions.get(f"artistname{number}") for number in range(2, 21))
    return Header(
        columns,
        headers,
        tuple(at for at in guests if at is not None),
        day_first,
    )


def _day_first(names: Iterable[str]) -> bool | None:
    """Return the order of a format of dates in a header, None if there is none."""
    for name in names:
        if found := _DATE_FORMAT.search(name):
            return found[1] is not None
    return None
