"""Stand-ins for ListenBrainz and Last.fm: one made-up user each, in the services' own form."""

from collections.abc import Callable, Mapping
from typing import Any

from webservice import Reply, Request

USER = "some body"
OLDEST, NEWEST = 1_600_000_000, 1_714_557_600  # 13 September 2020; Wednesday, 1 May 2024, 10:00
HISTORY: Mapping[str, int] = {"Low": 40, "Slint": 9, "Múm": 7}  # artist -> plays
TRACKS = (("Low", "Monkey", 25), ("Slint", "Washer", 9))
Answer = Callable[[Request], Reply]


def listen(artist: str, track: str, at: Any, *credit: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"artist_name": artist, "track_name": track, "release_name": "R"}
    if credit:
        metadata["mbid_mapping"] = {"artists": [{"artist_credit_name": name} for name in credit]}
    return {"listened_at": at, "track_metadata": metadata, "user_name": USER}


def listenbrainz(
    artists: Mapping[str, int] = HISTORY,
    tracks: tuple[tuple[str, str, int], ...] = TRACKS,
    latest: int = 3,  # plays, an hour apart
    *,
    computed: bool = True,
    count: int = 1000,  # the most in one answer
) -> Answer:
    listens = [listen("Low", "Monkey", NEWEST - 3600 * hour) for hour in range(latest)]

    def answer(request: Request) -> Reply:
        page = min(int(request.fields.get("count", 25)), count)
        if request.path == f"/1/user/{USER.replace(' ', '%20')}/listens":
            before = int(request.fields.get("max_ts", NEWEST + 1))
            found = [one for one in listens if one["listened_at"] < before][:page]
            payload: dict[str, Any] = {
                "count": len(found),
                "listens": found,
                "latest_listen_ts": NEWEST,
                "oldest_listen_ts": OLDEST,
                "user_id": USER,
            }
            return Reply({"payload": payload})
        start = f"/1/stats/user/{USER.replace(' ', '%20')}/"
        if not request.path.startswith(start):
            return Reply({"code": 404, "error": "Cannot find user"}, 404)
        if not computed:
            return Reply(None, 204)
        what, first = request.path.removeprefix(start), int(request.fields.get("offset", 0))
        rows: list[dict[str, Any]]
        if what == "artists":
            rows = [
                {"artist_name": name, "listen_count": plays, "artist_mbid": None}
                for name, plays in artists.items()
            ]
        else:
            rows = [
                {"artist_name": name, "track_name": title, "listen_count": plays}
                for name, title, plays in tracks
            ]
        payload = {
            what: rows[first : first + page],
            "count": len(rows[first : first + page]),
            f"total_{what[:-1]}_count": len(rows),
            "range": request.fields["range"],
            "from_ts": 1_672_531_200,  # 1 January 2023
            "to_ts": 1_704_067_199,  # 31 December 2023
        }
        return Reply({"payload": payload})

    return answer


def lastfm(
    artists: Mapping[str, int] = HISTORY,
    tracks: tuple[tuple[str, str, int], ...] = TRACKS,
    latest: int = 3,
    *,
    key: str = "k3y",
    page_of: int = 1000,  # the most in one answer
) -> Answer:
    playing = {"artist": {"#text": "Low"}, "name": "Monkey", "@attr": {"nowplaying": "true"}}
    plays = [
        {"artist": {"#text": "Low"}, "name": "Monkey", "date": {"uts": str(NEWEST - 3600 * hour)}}
        for hour in range(latest)
    ]
    rows: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "topartists": (
            "artist",
            [{"name": name, "playcount": str(count)} for name, count in artists.items()],
        ),
        "toptracks": (
            "track",
            [
                {"name": title, "artist": {"name": name}, "playcount": str(count)}
                for name, title, count in tracks
            ],
        ),
        "recenttracks": ("track", plays),
    }

    def answer(request: Request) -> Reply:
        fields = request.fields
        if fields.get("api_key") != key:
            return Reply({"error": 10, "message": "Invalid API key"}, 403)
        if fields.get("user") != USER:
            return Reply({"error": 6, "message": "User not found"}, 404)
        method = fields["method"].removeprefix("user.get")
        noun, all_rows = rows[method]
        size, page = min(int(fields["limit"]), page_of), int(fields["page"])
        found: Any = all_rows[size * (page - 1) : size * page]
        if method == "recenttracks":
            found = [playing, *found]
        if len(found) == 1:
            found = found[0]  # as Last.fm does
        about = {
            "user": USER,
            "page": str(page),
            "perPage": str(size),
            "totalPages": str(-(-len(all_rows) // size)),
            "total": str(len(all_rows)),
        }
        return Reply({method: {noun: found, "@attr": about}})

    return answer
