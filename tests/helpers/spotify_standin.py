"""A stand-in for Spotify on loopback, with sign-in as strict as Spotify's and made-up people.

Answers have the form of the Web API in Development Mode: no popularity, no genres, and removed
endpoints answer 403. `extended=True` has all of it.
"""

import base64
import hashlib
import html
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

CLIENT_ID = "made-up-client"
NAMES = (
    "Radiohead", "Portishead", "Massive Attack", "Low", "Mogwai", "Slowdive", "The Cure", "Björk",
    "Sigur Rós", "Interpol", "The National", "Arcade Fire",
)  # fmt: skip


def identifier(*parts: object) -> str:
    """Return an id like Spotify's: 22 letters and digits."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    letters = base64.b64encode(digest, altchars=b"ab").decode()
    return letters[:22]


def artist(name: str) -> dict:
    id = identifier("artist", name)
    return {
        "id": id,
        "name": name,
        "type": "artist",
        "uri": f"spotify:artist:{id}",
        "href": f"https://api.spotify.com/v1/artists/{id}",
        "external_urls": {"spotify": f"https://open.spotify.com/artist/{id}"},
        "images": [],
    }


def track(title: str, *names: str) -> dict:
    id = identifier("track", title, names)
    return {
        "id": id,
        "name": title,
        "type": "track",
        "uri": f"spotify:track:{id}",
        "href": f"https://api.spotify.com/v1/tracks/{id}",
        "external_urls": {"spotify": f"https://open.spotify.com/track/{id}"},
        "external_ids": {"isrc": "XX1234567890"},
        "artists": [artist(name) for name in names],
        "album": {"id": identifier(title), "name": f"{title} (album)", "release_date": "2001-05",
                  "release_date_precision": "month", "images": []},
        "duration_ms": 201_000,
        "explicit": False,
        "disc_number": 1,
        "track_number": 1,
        "is_local": False,
        "is_playable": True,
    }  # fmt: skip


EPISODE = {"id": "0Q86acNRm6V9GYx55SXKwf", "type": "episode", "name": "A talk",
           "uri": "spotify:episode:0Q86acNRm6V9GYx55SXKwf", "duration_ms": 1}  # fmt: skip
LOCAL = {"id": None, "type": "track", "name": "Home tape", "is_local": True,
         "uri": "spotify:local:Friend:::30", "artists": [{"name": "A friend", "id": None}],
         "duration_ms": 60_000}  # fmt: skip


@dataclass
class Person:
    """One made-up person's account."""

    id: str
    name: str
    artists: list[str] = field(default_factory=lambda: list(NAMES))
    saved: int = 120
    playlists: int = 4
    saved_playlists: list[dict] = field(default_factory=list)

    def top_artists(self) -> list[dict]:
        return [artist(name) for name in self.artists]

    def top_tracks(self) -> list[dict]:
        return [
            track(f"Song {n}", name, *(self.artists[:1] if n % 2 else ()))
            for n, name in enumerate(self.artists)
        ]

    def library(self) -> list[dict]:
        return [
            {
                "added_at": "2024-03-01T10:00:00Z",
                "track": track(f"Saved {n}", self.artists[n % len(self.artists)]),
            }
            for n in range(self.saved)
        ]

    def lists(self) -> list[dict | None]:
        own = [
            {
                "id": identifier("playlist", self.id, n),
                "name": f"Evening {n}",
                "type": "playlist",
                "uri": f"spotify:playlist:{identifier('playlist', self.id, n)}",
                "owner": {"id": self.id, "display_name": self.name},
                "collaborative": False,
                "public": False,
                "items": {"href": "https://api.spotify.com/", "total": 5},
                "images": [],
            }
            for n in range(self.playlists)
        ]
        theirs = {**own[0], "id": identifier("theirs"), "owner": {"id": "spotify"}} if own else None
        return [*own, None, *([theirs] if theirs else [])]

    def items(self) -> list[dict | None]:
        added = {"added_at": "2024-03-01T10:00:00Z", "added_by": {"id": self.id}, "is_local": False}
        return [
            {**added, "item": track("Listed", self.artists[-1])},
            {**added, "track": track("Listed the old way", self.artists[-2])},
            {**added, "item": None},
            {**added, "item": EPISODE},
            {**added, "is_local": True, "item": LOCAL},
            None,
        ]

    def recent(self) -> list[dict]:
        return [
            {"track": track("Song 0", self.artists[0]), "played_at": "2026-09-01T12:00:00.000Z",
             "context": None}
        ]  # fmt: skip


class StandIn:
    """Both of Spotify's servers in one; `requests` has each call to the Web API."""

    def __init__(self, redirect_uri: str = "", *, extended: bool = False) -> None:
        self.redirect_uri = redirect_uri
        self.extended = extended
        self.people = {
            "ada": Person("ada", "Ada"),
            "ben": Person("ben", "Ben", artists=list(NAMES[::-1])),
        }
        self.lasts_s = 3600  # an access token
        self.requests: list[tuple[str, str, dict]] = []
        self.bodies: list[dict] = []
        self.token_requests: list[dict] = []
        self.answers: dict[str, list[Response]] = {}  # path -> first answers, in order
        self.always: dict[str, Response] = {}  # path, or "" for all -> every answer
        self.gate = threading.Event()  # when cleared, calls to the Web API wait
        self.gate.set()
        self._codes: dict[str, dict] = {}
        self._access: dict[str, dict] = {}
        self._refresh: dict[str, dict] = {}
        self._spent: set[str] = set()
        self.app = Starlette(
            routes=[
                Route("/authorize", self._authorize),
                Route("/api/token", self._token, methods=["POST"]),
                Route("/favicon.ico", lambda request: Response(status_code=204)),
                Route("/another-site", self._another_site),
                Route("/v1/{path:path}", self._api, methods=["GET", "POST"]),
            ]
        )

    @property
    def secrets(self) -> set[str]:
        """Tokens and codes, which must never be seen outside."""
        return {*self._codes, *self._access, *self._refresh, *self._spent}

    # Signing in

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        right = (
            query.get("client_id") == CLIENT_ID
            and query.get("redirect_uri") == self.redirect_uri
            and query.get("response_type") == "code"
            and query.get("code_challenge_method") == "S256"
            and len(query.get("code_challenge", "")) == 43
        )
        if not right:
            return HTMLResponse("INVALID_CLIENT: Invalid redirect URI", 400)
        state = {"state": query["state"]} if "state" in query else {}
        links = []
        for who in self.people:
            code = secrets.token_urlsafe(32)
            self._codes[code] = {**query, "who": who}
            links.append((f"Agree as {who}", {"code": code, **state}))
        links.append(("Cancel", {"error": "access_denied", **state}))
        shown = "".join(
            f'<p><a href="{html.escape(f"{self.redirect_uri}?{urlencode(query)}")}">{words}</a></p>'
            for words, query in links
        )
        scopes = html.escape(query.get("scope", ""))
        return HTMLResponse(
            f"<!doctype html><html lang=en><title>Stand-in</title><h1>Agree?</h1>"
            f"<p>It asks for: {scopes}</p>{shown}</html>"
        )

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.token_requests.append(form)
        if self.answers.get("token"):
            return self.answers["token"].pop(0)
        if form.get("client_id") != CLIENT_ID:
            return JSONResponse({"error": "invalid_client"}, 400)
        if form.get("grant_type") == "authorization_code":
            code = form.get("code", "")
            known = self._codes.pop(code, None)
            self._spent.add(code)
            verifier = form.get("code_verifier", "")
            digest = hashlib.sha256(verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if (
                known is None
                or not 43 <= len(verifier) <= 128
                or challenge != known["code_challenge"]
                or form.get("redirect_uri") != known["redirect_uri"]
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            return self._give(known["who"], known.get("scope", ""))
        old = form.get("refresh_token", "")
        known = self._refresh.pop(old, None)  # rotation: it works once
        self._spent.add(old)
        if form.get("grant_type") != "refresh_token" or known is None:
            return JSONResponse(
                {"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400
            )
        return self._give(known["who"], known["scope"])

    def _give(self, who: str, scope: str) -> Response:
        access, refresh = f"access-{secrets.token_hex(20)}", f"refresh-{secrets.token_hex(20)}"
        self._access[access] = self._refresh[refresh] = {"who": who, "scope": scope}
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "Bearer",
                "scope": scope,
                "expires_in": self.lasts_s,
                "refresh_token": refresh,
            }
        )

    def token_for(self, who: str, scopes: Iterable[str]) -> str:
        """Return an access token, as if the person had agreed."""
        token = f"access-{secrets.token_hex(20)}"
        self._access[token] = {"who": who, "scope": " ".join(scopes)}
        return token

    def end_access(self) -> None:
        """Let all access tokens expire; they can be renewed."""
        self._spent.update(self._access)
        self._access.clear()

    def revoke(self) -> None:
        """Revoke all access, as people can, and as Spotify does after six months."""
        self.end_access()
        self._spent.update(self._refresh)
        self._refresh.clear()

    async def _another_site(self, request: Request) -> Response:
        """Return a page with a button that posts to another site."""
        to = html.escape(request.query_params["to"])
        return HTMLResponse(
            f'<!doctype html><html lang=en><form method="post" action="{to}">'
            f"<button>Win</button></form></html>"
        )

    # The Web API

    async def _api(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.requests.append((request.method, path, dict(request.query_params)))
        await run_in_threadpool(self.gate.wait, 20)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        known = self._access.get(bearer)
        if known is None:
            return problem(401, "The access token expired")
        if self.answers.get(path):
            return self.answers[path].pop(0)
        for key in (path, ""):
            if key in self.always:
                return self.always[key]
        person = self.people[known["who"]]
        if request.method == "POST":
            return await self._write(request, path, person, known["scope"].split())
        return self._read(path, dict(request.query_params), person, known["scope"].split())

    def _read(self, path: str, query: dict, person: Person, scopes: list[str]) -> Response:
        needs = {
            "me/top/artists": "user-top-read",
            "me/top/tracks": "user-top-read",
            "me/tracks": "user-library-read",
            "me/playlists": "playlist-read-private",
            "me/player/recently-played": "user-read-recently-played",
        }
        if path in needs and needs[path] not in scopes:
            return problem(403, "Insufficient client scope")
        if path == "me":
            return JSONResponse(
                {"id": person.id, "account_id": f"account-{person.id}", "type": "user",
                 "display_name": person.name, "uri": f"spotify:user:{person.id}", "images": []}
            )  # fmt: skip
        if path == "me/top/artists":
            genres = {"genres": ["rock"], "popularity": 50} if self.extended else {}
            return page([{**each, **genres} for each in person.top_artists()], query)
        if path == "me/top/tracks":
            return page(person.top_tracks(), query)
        if path == "me/tracks":
            return page(person.library(), query)
        if path == "me/playlists":
            return page(person.lists(), query)
        if path == "me/player/recently-played":
            return JSONResponse({"items": person.recent(), "limit": 50, "cursors": None})
        if path.startswith("playlists/") and path.endswith("/items"):
            own = {
                each["id"] for each in person.lists() if each and each["owner"]["id"] != "spotify"
            }
            if path.split("/")[1] not in own:
                return problem(403, "Forbidden")
            return page(person.items(), query)
        if path == "audio-features" and self.extended:
            ids = query.get("ids", "").split(",")
            return JSONResponse(
                {"audio_features": [{"id": id, "energy": 0.7, "tempo": 120.5} for id in ids[:-1]]
                 + [None]}
            )  # fmt: skip
        if path == "search":
            return self._search(query)
        return problem(403, "Forbidden")

    def _search(self, query: dict) -> Response:
        if int(query.get("limit", 5)) > 10:
            return problem(400, "Invalid limit")
        name = query["q"].removeprefix('artist:"').removesuffix('"')
        found = [track("By another", f"{name} Tribute"), track("One", name), track("Two", name)]
        return JSONResponse({"tracks": {"items": found, "total": len(found)}})

    async def _write(
        self, request: Request, path: str, person: Person, scopes: list[str]
    ) -> Response:
        body = await request.json()
        self.bodies.append(body)
        if "playlist-modify-private" not in scopes:
            return problem(403, "Insufficient client scope")
        if path == "me/playlists":
            id = identifier("saved", len(person.saved_playlists))
            person.saved_playlists.append({"id": id, **body, "uris": []})
            url = {"spotify": f"https://open.spotify.com/playlist/{id}"}
            return JSONResponse({"id": id, "external_urls": url, **body}, 201)
        for each in person.saved_playlists:
            if path == f"playlists/{each['id']}/items":
                if not isinstance(body, dict) or not isinstance(body.get("uris"), list):
                    return problem(422, "Unprocessable")
                each["uris"] += body["uris"]
                return JSONResponse({"snapshot_id": "s"}, 201)
        return problem(403, "Forbidden")


def page(rows: list, query: dict) -> Response:
    limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    if not 1 <= limit <= 50:
        return problem(400, "Invalid limit")
    more = offset + limit < len(rows)
    return JSONResponse(
        {
            "items": rows[offset : offset + limit],
            "limit": limit,
            "offset": offset,
            "total": len(rows),
            "next": "https://api.spotify.com/v1/elsewhere" if more else None,
        }
    )


def problem(status: int, message: str, *, reason: str = "", retry_after: object = None) -> Response:
    error = {"status": status, "message": message} | ({"reason": reason} if reason else {})
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": error}, status, headers=headers)
