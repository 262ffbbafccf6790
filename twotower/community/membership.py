"""Being found by others: joining, changing and leaving, with a code that only its owner has.

What is stored of a person is what the person was shown before: of artists, names that the
catalogue knows and how the listening is shared among them in parts of a thousand. The vectors and
the place on the map are made of exactly that, so an artist that stays hidden leaves no trace in
them. Only who says yes to training leaves more: the whole profile, less what tells when, in which
lists and under which name it was heard.
"""

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from twotower.community import (
    Community,
    Deletion,
    Member,
    MemberRecord,
    new_id,
    pseudonyms,
    queries,
)
from twotower.community.public_view import LISTED_ARTISTS, genre_weights, top_genres
from twotower.core.domain import DEMO, SPOTIFY_WEB_API, SYNTHETIC, Artist, Listener, Profile
from twotower.core.errors import EmptyProfile, MayNotJoin, UnknownCode
from twotower.core.names import artist_key
from twotower.matching.matcher import Matcher
from twotower.model.portrait import Portrait
from twotower.sources.profile_parser import profile_from_json

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # of a code: none that is taken for another
GROUPS, OF_GROUP = 5, 5
PREFIX = "MN"
LEAST_SHOWN = 3
MOST_SHOWN = LISTED_ARTISTS
PARTS = 1000  # that the listening to the artists shown is told in


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a person wants others to see, and says yes to: nothing, unless they say so."""

    name: str  # pseudonym
    visible_artists: tuple[str, ...] = ()  # artist keys
    findable: bool = False  # others may find me
    training: bool = False  # my listening may help to train


@dataclass(frozen=True, slots=True)
class Joined:
    id: str
    code: str  # told once: only its hash is stored
    listener: Listener  # as others see it


# Pseudonyms


def suggest_name(seed: int, community: Community | None = None) -> str:
    """A pseudonym that nobody who can be found has."""
    is_taken = partial(queries.is_name_taken, community) if community else pseudonyms.nobody
    return pseudonyms.suggest(seed, is_taken)


def check_name(
    name: str, community: Community, *, real_name: str = "", own: str | None = None
) -> str:
    """`name` as it is kept; BadName says what to change. `own` may keep the name that it has."""
    return pseudonyms.check(
        name, partial(queries.is_name_taken, community, but=own), real_name=real_name
    )


# Codes


def new_code() -> str:
    """`MN-` and five groups of five letters and digits, 122 bits of chance."""
    groups = ("".join(secrets.choice(LETTERS) for _ in range(OF_GROUP)) for _ in range(GROUPS))
    return "-".join((PREFIX, *groups))


def code_hash(code: str) -> str:
    """What is stored of a code, which small letters, spaces and missing dashes don't change."""
    plain = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", code[:200]).upper())
    if len(plain) == len(PREFIX) + GROUPS * OF_GROUP:
        plain = plain.removeprefix(PREFIX)
    return hashlib.sha256(plain.encode()).hexdigest()


def find(matcher: Matcher, code: str) -> MemberRecord | None:
    """What is known of the owner of a code; a code that nobody has and no code at all are alike."""
    return queries.find_by_code(matcher.community, code_hash(code))


def held(matcher: Matcher, code: str) -> Mapping[str, Any]:
    """Everything that is stored of the owner of a code."""
    found = queries.export(matcher.community, _owned(matcher, code).id)
    if found is None:
        raise UnknownCode(NOBODY)
    return found


NOBODY = (
    "nobody here has this code: compare it with what you kept, letter by letter. Who has left has "
    "no code any longer"
)


def _owned(matcher: Matcher, code: str) -> MemberRecord:
    found = find(matcher, code)
    if found is None:
        raise UnknownCode(NOBODY)
    return found


# What others see


def check_origin(profile: Profile) -> None:
    """MayNotJoin where this is no person's own listening, or may not be stored."""
    parts = profile.origin.casefold().split("+")
    if SPOTIFY_WEB_API in parts:
        raise MayNotJoin(
            "what came from Spotify by signing in, or as a list of such a program, may not be "
            "stored. Ask Spotify for your own listening data (Account, Privacy) and bring that "
            "file, or pick your artists by name: with either you can join"
        )
    if DEMO in parts or SYNTHETIC in parts:
        raise MayNotJoin("a demo listener is no person: bring music of your own to join")


def showable(matcher: Matcher, portrait: Portrait) -> tuple[Artist, ...]:
    """The artists that others may get to see: known to the catalogue, as it spells them.

    Most played first. What only a file says of a name is never shown to others.
    """
    found: dict[int, Artist] = {}
    for artist in portrait.artists:
        row = matcher.catalogue.row(artist_key(artist.name))
        if row is not None and row not in found:
            found[row] = Artist(matcher.catalogue.names[row], artist.plays)
    return tuple(found.values())


def shown_before(owned: MemberRecord) -> tuple[Artist, ...]:
    """The artists that others see of a member, for changes without bringing any music."""
    return tuple(Artist(name, plays) for name, plays in owned.listener.artists)


def preview(
    matcher: Matcher, portrait: Portrait, request: JoinRequest, *, own: str | None = None
) -> Listener:
    """Exactly what others will see, in the row of `own` where there is one.

    BadName where the pseudonym can't be one, MayNotJoin where the profile may not join or too
    little would be shown.
    """
    check_origin(portrait.profile)
    name = check_name(request.name, matcher.community, real_name=portrait.profile.name, own=own)
    return _seen(matcher, showable(matcher, portrait), request, name, portrait.profile.origin, own)[
        0
    ]


def preview_of(matcher: Matcher, owned: MemberRecord, request: JoinRequest) -> Listener:
    """The same for a member who changes choices without bringing any music."""
    name = check_name(request.name, matcher.community, own=owned.id)
    pool = shown_before(owned)
    return _seen(matcher, pool, request, name, owned.listener.origin, owned.id)[0]


def _seen(
    matcher: Matcher,
    pool: Sequence[Artist],
    request: JoinRequest,
    name: str,
    origin: str,
    own: str | None,
) -> tuple[Listener, Portrait]:
    """A member as others see it, and the portrait of just that."""
    wanted = set(request.visible_artists)
    chosen = [artist for artist in pool if artist_key(artist.name) in wanted]
    if len(chosen) < LEAST_SHOWN:
        raise MayNotJoin(
            f"{len(chosen)} of your artists would be shown: choose at least {LEAST_SHOWN} that "
            "the catalogue knows, or nobody can see what you have in common"
        )
    if len(chosen) > MOST_SHOWN:
        raise MayNotJoin(f"{len(chosen)} artists are chosen: {MOST_SHOWN} are the most")
    total = sum(artist.plays for artist in chosen)
    parts = [(a.name, float(max(1, round(PARTS * a.plays / total)))) for a in chosen]
    parts.sort(key=lambda part: (-part[1], part[0]))
    profile = Profile("", {artist_key(n): Artist(n, plays) for n, plays in parts})
    portrait = matcher.portrait(profile)
    genres = top_genres(genre_weights(profile, matcher.catalogue))
    x, y = matcher.place(portrait, own=own)
    place = (x, y) if x == x and y == y else None  # NaN: nobody has a place
    return Listener(own or "", name, origin, tuple(parts), genres, place), portrait


# Changes


def join(
    matcher: Matcher, portrait: Portrait, request: JoinRequest, *, id: str = "", code: str = ""
) -> Joined:
    """Store what was said yes to, and give the one code by which it can be changed and removed.

    Who brings many in has `id` and `code` already; else both are made by chance.
    """
    _check_consent(request)
    check_origin(portrait.profile)
    code, id = code or new_code(), id or new_id()
    member = _member(matcher, id, portrait, None, request)
    matcher.community.join(replace(member, code_hash=code_hash(code)))
    return Joined(id, code, member.listener)


def update(
    matcher: Matcher, code: str, portrait: Portrait | None, request: JoinRequest
) -> MemberRecord:
    """Put today's profile and choices in the place of those that are stored, all at once.

    Without a portrait only choices change: fewer artists, another name, another answer.
    """
    if not (request.findable or request.training):
        raise MayNotJoin("with no to both there is nothing to keep: leave, and all is removed")
    owned = _owned(matcher, code)
    if portrait is not None:
        check_origin(portrait.profile)
    matcher.community.update(_member(matcher, owned.id, portrait, owned, request))
    return _owned(matcher, code)


def leave(matcher: Matcher, code: str) -> Deletion:
    """Remove all that is stored of the owner of a code; the receipt says what that was."""
    receipt = matcher.community.leave(_owned(matcher, code).id)
    if receipt is None:
        raise UnknownCode(NOBODY)
    return receipt


def _check_consent(request: JoinRequest) -> None:
    if not (request.findable or request.training):
        raise MayNotJoin(
            "you said yes to neither, so there is nothing to store, and nothing was: the app works "
            "all the same"
        )


def _member(
    matcher: Matcher,
    id: str,
    portrait: Portrait | None,
    before: MemberRecord | None,
    request: JoinRequest,
) -> Member:
    """The row of one person; the community refuses what is neither of today nor of before."""
    kept = _kept(matcher, id, portrait, before) if request.training else None
    if not request.findable:
        if kept is None:
            raise MayNotJoin("there is nothing of you to train with: bring your music first")
        origin = portrait.profile.origin if portrait else before.listener.origin if before else ""
        seen = matcher.portrait(kept)
        return Member(
            Listener(id, "", origin, ()),
            seen.user_vector,
            seen.candidate_vector,
            findable=False,
            training=True,
            profile=kept,
        )
    if portrait is not None:
        real_name, pool = portrait.profile.name, showable(matcher, portrait)
        origin = portrait.profile.origin
    elif before is not None:
        real_name, pool, origin = "", shown_before(before), before.listener.origin
    else:
        raise EmptyProfile("bring some music first: pick artists, or drop a file")
    own = before.id if before is not None else None
    name = check_name(request.name, matcher.community, real_name=real_name, own=own)
    listener, seen = _seen(matcher, pool, request, name, origin, id)
    return Member(
        listener,
        seen.user_vector,
        seen.candidate_vector,
        findable=True,
        training=request.training,
        map_version=matcher.shipped.digest[:12],
        profile=kept,
    )


def _kept(
    matcher: Matcher, id: str, portrait: Portrait | None, before: MemberRecord | None
) -> Profile:
    """The profile to train with: today's, else the one that is kept already."""
    if portrait is not None:
        return to_keep(portrait.profile, id)
    found = queries.export(matcher.community, before.id) if before is not None else None
    stored = found.get("profile") if found else None
    if not stored:
        raise MayNotJoin(
            "to help to train, bring your music first: no whole profile of yours is kept"
        )
    return profile_from_json(json.loads(stored) if isinstance(stored, str) else stored, id)


def to_keep(profile: Profile, id: str) -> Profile:
    """Of a profile what training reads: artists with plays and genres, genres, and how it sounds.

    No name, no tracks, no playlists with their titles, no days and hours.
    """
    return Profile(id, profile.artists, profile.genres, audio=profile.audio, origin=profile.origin)
