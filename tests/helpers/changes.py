"""Matchers, members and changes that tests share with the processes they start and kill."""

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
from members import member
from planted import ring

from twotower.community import Community, Member
from twotower.community.bulk_import import ImportResult, import_members
from twotower.core.domain import Artist, Listener, Profile
from twotower.core.settings import Settings
from twotower.matching.matcher import Matcher

DIM = 16  # of the vectors of `of_turn`
ME, OTHER = (replace(p, id="me") for p in ring(2, artists=20, origin="file", seed=41))


def opened(assets: Path, folder: Path) -> Matcher:
    return Matcher.load(Settings(folder / "data", assets, f"sqlite:///{folder / 'c.sqlite'}"))


def bring(matcher: Matcher, folder: Path, progress=lambda share, message: None) -> ImportResult:
    return import_members(
        matcher.membership,
        folder / "many.jsonl",
        codes=folder / "codes.jsonl",
        findable=True,
        training=True,
        progress=progress,
    )


def of_turn(id: str, turn: int) -> Member:
    """Return a member whose row, profile and vectors all encode the turn."""
    user = np.zeros(DIM, np.float32)
    candidate = user.copy()
    user[turn], candidate[turn + 8] = 1, 1
    profile = Profile("", {"a": Artist("A", turn + 1.0)}, origin="file")
    listener = Listener(id, f"{int(id, 16)} {turn}", "file", (("A", turn + 1.0),))
    return Member(listener, user, candidate, training=True, profile=profile, code_hash=f"h{id}")


def all_kinds(community: Community) -> tuple:
    return (
        lambda: community.join(of_turn("f" * 16, 0)),
        lambda: community.update(of_turn(f"{1:016x}", 1)),
        lambda: community.leave(f"{2:016x}"),
    )


def changed(id: str, number: int) -> Member:
    """Return a member whose columns and vectors all follow from id and number."""
    plain = member(id, seed=1000 * int(id[1:]) + number)
    name = f"{id} at {number}"
    profile = Profile(id, {"low": Artist(name, 1.0 + number)}, origin="file")
    return Member(
        type(plain.listener)(id, name, "file", ((name, 1.0),), (name,), (float(number), 0.0)),
        plain.user_vector,
        plain.candidate_vector,
        training=True,
        map_version="m1",
        profile=profile,
        code_hash=f"code of {id}",
    )


def limit_files(size: int | None) -> None:
    """Limit the size of files that this process writes, in bytes; None is no limit."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if size is None else size, most))
