"""Membership: join, update and leave the community, with consent and an access code.

Only what the preview showed is stored: artists that the catalogue knows, each with its share of
the visible listening. Vectors and map place are computed from exactly these artists, so a hidden
artist leaves no trace in them. With consent to training the whole profile is stored too, without
times, playlists and names.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from twotower.community import pseudonyms, queries
from twotower.community.access_codes import UNKNOWN_CODE, hash_code, new_code
from twotower.community.public_view import LISTED_ARTISTS, genre_weights, top_genres
from twotower.community.records import Deletion, Member, MemberRecord, new_id
from twotower.community.store import Community
from twotower.community.stored_profile import reduced_profile
from twotower.core.domain import DEMO, SPOTIFY_WEB_API, SYNTHETIC, Artist, Listener, Profile
from twotower.core.errors import EmptyProfile, MayNotJoin, UnknownCode
from twotower.core.names import artist_key
from twotower.core.origins import known_origin
from twotower.model.embedder import Embedder
from twotower.model.portrait import Portrait
from twotower.model.portrait import portrait as make_portrait
from twotower.sources.profile_parser import profile_from_json

MIN_VISIBLE, MAX_VISIBLE = 3, LISTED_ARTISTS  # artists that a findable member shows
SHARES = 1000  # plays of the visible artists are stored as parts of this


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Choices of someone who joins or changes a membership; nothing is agreed to by default."""

    name: str  # pseudonym
    visible_artists: tuple[str, ...] = ()  # artist keys
    findable: bool = False  # consent: others may find me
    training: bool = False  # consent: models may be trained on my profile


@dataclass(frozen=True, slots=True)
class Joined:
    """Result of joining."""

    id: str
    code: str  # access code; only its hash is stored
    listener: Listener  # as others see it


class Membership:
    """Join, update and leave one community under one model."""

    def __init__(self, community: Community, embedder: Embedder, *, map_version: str) -> None:
        self.community, self.embedder, self.map_version = community, embedder, map_version

    # Choosing name and artists

    def suggest_name(self, seed: int) -> str:
        """Return a pseudonym that no findable listener has."""
        return pseudonyms.suggest(seed, partial(queries.is_name_taken, self.community))

    def check_name(self, name: str, *, real_name: str = "", own: str | None = None) -> str:
        """Return the pseudonym as it is stored. Raises BadName, which says what to change.

        The member with the id `own` may keep its name.
        """
        is_taken = partial(queries.is_name_taken, self.community, but=own)
        return pseudonyms.check(name, is_taken, real_name=real_name)

    def showable_artists(self, portrait: Portrait) -> tuple[Artist, ...]:
        """Return the artists that others may see, most played first.

        Only artists in the catalogue, under its spelling: a name that only a file has is never
        shown.
        """
        catalogue = self.embedder.catalogue
        known: dict[int, Artist] = {}
        for artist in portrait.artists:
            row = catalogue.row(artist_key(artist.name))
            if row is not None and row not in known:
                known[row] = Artist(catalogue.names[row], artist.plays)
        return tuple(known.values())

    def preview(
        self, portrait: Portrait, request: JoinRequest, *, own: str | None = None
    ) -> Listener:
        """Return exactly what others will see, as a change of the member `own` if there is one.

        Raises BadName for a pseudonym that is not allowed, MayNotJoin if the profile may not be
        stored or too few artists are visible.
        """
        check_origin(portrait.profile)
        name = self.check_name(request.name, real_name=portrait.profile.name, own=own)
        pool = self.showable_artists(portrait)
        return self._public_listener(pool, request, name, _origin(portrait, None), own)[0]

    def preview_change(self, record: MemberRecord, request: JoinRequest) -> Listener:
        """Return what others will see of a member who changes choices without new music."""
        name = self.check_name(request.name, own=record.id)
        pool = visible_artists(record)
        return self._public_listener(pool, request, name, record.listener.origin, record.id)[0]

    # Changes

    def check_request(self, portrait: Portrait, request: JoinRequest) -> None:
        """Raise MayNotJoin or BadName if `join` would do so now."""
        _check_consent(request)
        check_origin(portrait.profile)
        self._member(new_id(), portrait, None, request)

    def join(
        self, portrait: Portrait, request: JoinRequest, *, id: str = "", code: str = ""
    ) -> Joined:
        """Join the community; return the member's access code.

        A bulk import passes `id` and `code`; by default both are random. Raises MayNotJoin or
        BadName, and then nothing is stored.
        """
        _check_consent(request)
        check_origin(portrait.profile)
        code, id = code or new_code(), id or new_id()
        member = self._member(id, portrait, None, request)
        self.community.join(replace(member, code_hash=hash_code(code)))
        return Joined(id, code, member.listener)

    def update(self, code: str, portrait: Portrait | None, request: JoinRequest) -> MemberRecord:
        """Replace the stored profile and choices; return the new record.

        Without a portrait only choices change: name, fewer artists, consent.
        """
        if not (request.findable or request.training):
            raise MayNotJoin(
                "you said no to both questions: leave instead, and everything is deleted"
            )
        record = self._record(code)
        if portrait is not None:
            check_origin(portrait.profile)
        self.community.update(self._member(record.id, portrait, record, request))
        return self._record(code)

    def leave(self, code: str) -> Deletion:
        """Remove everything stored about the owner of a code. Raises UnknownCode."""
        deletion = self.community.leave(self._record(code).id)
        if deletion is None:
            raise UnknownCode(UNKNOWN_CODE)
        return deletion

    # Reading

    def find(self, code: str) -> MemberRecord | None:
        """Return the member with this access code; None for an unknown or malformed one."""
        return queries.find_by_code(self.community, hash_code(code))

    def export(self, code: str) -> Mapping[str, Any]:
        """Return everything stored about the owner of a code. Raises UnknownCode."""
        stored = queries.export(self.community, self._record(code).id)
        if stored is None:
            raise UnknownCode(UNKNOWN_CODE)
        return stored

    def _record(self, code: str) -> MemberRecord:
        record = self.find(code)
        if record is None:
            raise UnknownCode(UNKNOWN_CODE)
        return record

    def _member(
        self, id: str, portrait: Portrait | None, before: MemberRecord | None, request: JoinRequest
    ) -> Member:
        """Return the row to store: of today's music if there is a portrait, else of `before`."""
        profile = self._training_profile(id, portrait, before) if request.training else None
        origin = _origin(portrait, before)
        if not request.findable:
            if profile is None:
                raise MayNotJoin("there is no profile to train on: bring your music first")
            hidden = make_portrait(self.embedder, profile)
            return Member(
                Listener(id, "", origin, ()),
                hidden.user_vector,
                hidden.candidate_vector,
                findable=False,
                training=True,
                profile=profile,
            )
        if portrait is not None:
            real_name, pool = portrait.profile.name, self.showable_artists(portrait)
        elif before is not None:
            real_name, pool = "", visible_artists(before)
        else:
            raise EmptyProfile("there is no music yet: pick artists, or upload a file")
        own = before.id if before is not None else None
        name = self.check_name(request.name, real_name=real_name, own=own)
        listener, public = self._public_listener(pool, request, name, origin, id)
        return Member(
            listener,
            public.user_vector,
            public.candidate_vector,
            findable=True,
            training=request.training,
            map_version=self.map_version,
            profile=profile,
        )

    def _public_listener(
        self,
        pool: Sequence[Artist],
        request: JoinRequest,
        name: str,
        origin: str,
        own: str | None,
    ) -> tuple[Listener, Portrait]:
        """Return a member as others see it, and the portrait of only its visible artists."""
        shares = _shares(pool, request.visible_artists)
        profile = Profile("", {artist_key(n): Artist(n, plays) for n, plays in shares})
        public = make_portrait(self.embedder, profile)
        genres = top_genres(genre_weights(profile, self.embedder.catalogue))
        x, y = self.community.place(public.user_vector, own=own)
        place = (x, y) if x == x and y == y else None  # NaN if nobody has a place
        return Listener(own or "", name, origin, shares, genres, place), public

    def _training_profile(
        self, id: str, portrait: Portrait | None, before: MemberRecord | None
    ) -> Profile:
        """Return the profile to train on: today's, else the stored one."""
        if portrait is not None:
            return reduced_profile(portrait.profile, id)
        stored = queries.export(self.community, before.id) if before is not None else None
        profile = stored.get("profile") if stored else None
        if not profile:
            raise MayNotJoin(
                "no whole profile of yours is stored: to help with training, bring your music first"
            )
        data = json.loads(profile) if isinstance(profile, str) else profile
        return reduced_profile(profile_from_json(data, id), id)


def _check_consent(request: JoinRequest) -> None:
    if not (request.findable or request.training):
        raise MayNotJoin(
            "you said no to both questions, so nothing was stored: the app works without it"
        )


def check_origin(profile: Profile) -> None:
    """Raise MayNotJoin if the profile is no person's own listening, or may not be stored."""
    origins = known_origin(profile.origin).split("+")
    if SPOTIFY_WEB_API in origins:
        raise MayNotJoin(
            "music from a Spotify sign-in, or from a program that uses one, may not be stored. To "
            "join, ask Spotify for your own listening data (Account, Privacy) and bring that file, "
            "or pick your artists by name"
        )
    if DEMO in origins or SYNTHETIC in origins:
        raise MayNotJoin("a demo or made-up listener can't join: bring your own music")


def visible_artists(record: MemberRecord) -> tuple[Artist, ...]:
    """Return the artists that others see of a member."""
    return tuple(Artist(name, plays) for name, plays in record.listener.artists)


def _origin(portrait: Portrait | None, before: MemberRecord | None) -> str:
    if portrait is not None:
        return known_origin(portrait.profile.origin)
    return before.listener.origin if before is not None else ""


def _shares(pool: Sequence[Artist], visible: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return (name, parts of 1000 of the plays) of the visible artists, largest first."""
    wanted = set(visible)
    chosen = [artist for artist in pool if artist_key(artist.name) in wanted]
    if len(chosen) < MIN_VISIBLE:
        raise MayNotJoin(
            f"you show {len(chosen)} artists that the model knows: choose at least {MIN_VISIBLE}, "
            "so that others see what you have in common"
        )
    if len(chosen) > MAX_VISIBLE:
        raise MayNotJoin(f"you chose {len(chosen)} artists: choose at most {MAX_VISIBLE}")
    total = sum(artist.plays for artist in chosen)
    shares = [(a.name, float(max(1, round(SHARES * a.plays / total)))) for a in chosen]
    return tuple(sorted(shares, key=lambda share: (-share[1], share[0])))
