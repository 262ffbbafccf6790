"""Profiles as items: which are read, their weights, and chunks of long profiles."""

import time
from dataclasses import replace

import numpy as np
import pytest
from planted import make_profile, ring

from twotower.core.domain import AUDIO, Artist, Playlist, Profile, Spread
from twotower.model.batches import (
    MAX_UNKNOWN,
    ExtraItems,
    ItemSet,
    audio_extra,
    collate,
    content_block,
    coverage_of,
    playlist_extra,
    relative_weights,
    split_chunks,
    title_genres,
    to_items,
)
from twotower.model.play_matrix import MEAN_WEIGHT
from twotower.model.towers import ARTIST, AUDIO_GROUP, EXTRA_WIDTH, GENRE_GROUP, PLAYLIST_GROUP

AUDIO_MEANS = {name: Spread(0.5, 0.1) for name in AUDIO}


@pytest.fixture
def read(trained):
    """Return a function: profile -> (its items, the items outside the catalogue)."""

    def act(profile: Profile) -> tuple[ItemSet, ExtraItems]:
        extras = ExtraItems(first=len(trained.catalogue) + 1)
        return to_items(profile, trained.catalogue, trained.content, extras), extras

    return act


def artists(plays: list[float]) -> ItemSet:
    count = len(plays)
    return ItemSet(np.arange(1, count + 1), np.array(plays, np.float32), np.full(count, ARTIST))


def cosine(trained, one: Profile, other: Profile) -> float:
    a, b = trained.embed([one, other])
    return float(a @ b)


def test_artists_of_the_catalogue_are_its_rows(trained, read):
    items, extras = read(make_profile("a", {"artist 3": 7, "artist 60": 2}))
    row = trained.catalogue.row_of
    assert items.rows.tolist() == [row["artist 3"] + 1, row["artist 60"] + 1]
    assert items.plays.tolist() == [7, 2] and items.item_types.tolist() == [ARTIST, ARTIST]
    assert not extras.content


def test_unknown_artists_enter_by_their_genres_and_not_without(trained, read):
    known = {"artist 3": Artist("artist 3", 5)}
    strangers = {
        "told": Artist("Told", 9, ("metal",)),
        "untold": Artist("Untold", 9),
        "foreign": Artist("Foreign", 9, ("no such genre",)),
    }
    items, extras = read(Profile("a", known | strangers))
    assert len(items.rows) == 2 and len(extras.content) == 1
    assert items.rows[1] == len(trained.catalogue) + 1 and items.plays[1] == 9
    metal, jazz = (
        Profile("a", {"told": Artist("Told", 9, (genre,))}) for genre in ("metal", "jazz")
    )
    there = make_profile("a", {f"artist {n}": 5 for n in range(15, 35)})  # the quarter of metal
    assert cosine(trained, metal, there) > cosine(trained, jazz, there)


def test_of_many_unknown_artists_the_most_played_enter(read):
    many = {f"x{n}": Artist(f"x{n}", 1 + n, ("metal",)) for n in range(MAX_UNKNOWN + 30)}
    items, _ = read(Profile("a", many))
    assert sorted(items.plays.tolist()) == list(range(31, 31 + MAX_UNKNOWN))


@pytest.mark.parametrize(
    ("groups", "kind"),
    [
        ({"genres": {"jazz": 3.0}}, GENRE_GROUP),
        ({"audio": AUDIO_MEANS}, AUDIO_GROUP),
        ({"audio": {"energy": Spread(0.9)}}, AUDIO_GROUP),
        ({"playlists": (Playlist("late Jazz", (("t", "a"), ("u", "b"))),)}, PLAYLIST_GROUP),
    ],
)
def test_each_group_is_an_item_of_its_own_kind_and_moves_the_listener(trained, read, groups, kind):
    artists = make_profile("a", {"artist 3": 7})
    both = replace(artists, **groups)
    items, extras = read(both)
    assert items.item_types.tolist() == [ARTIST, kind] and len(extras.content) == 1
    assert read(Profile("b", **groups))[0].item_types.tolist() == [kind]
    assert trained.knows(Profile("b", **groups))
    assert cosine(trained, artists, both) < 0.9999


def test_groups_that_say_nothing_known_are_no_items(read):
    nothing = Profile("a", genres={"polka": 3.0}, playlists=(Playlist("Gym", (("t", "a"),)),))
    items, _ = read(nothing)
    assert items.rows.shape == (0,)


def test_playlists_have_number_size_and_focus():
    assert playlist_extra([], []).tolist() == [0] * EXTRA_WIDTH
    extra = playlist_extra([3, 5], [1.0, 0.5])
    expected = [np.log(3) / 2, np.log(5) / 4, 0.75]
    assert extra[len(AUDIO) :].tolist() == pytest.approx(expected)
    assert not extra[: len(AUDIO)].any()


def test_focus_of_a_playlist_is_one_where_all_is_by_one(read):
    tracks = (("t", "a"), ("u", "a"), ("v", "b"), ("w", "c"))
    _, extras = read(Profile("a", playlists=(Playlist("jazz", tracks),)))
    assert extras.extra[0][-1] == pytest.approx((4 + 1 + 1) / 16)


def test_spreads_of_audio_are_in_standard_deviations_of_all_artists(trained):
    space = trained.content.space
    spread = np.full(len(AUDIO), np.nan, np.float32)
    spread[0], spread[1] = space.audio_std[0] / 2, 1e6
    assert audio_extra(spread, space)[:3].tolist() == pytest.approx([0.5, 3, 0])


def test_missing_content_is_marked_as_unknown(trained):
    space = trained.content.space
    block = content_block(space, count=2)
    assert block.shape[0] == 2 and not block.any()
    country = replace(space, genre_words=("home:no", *space.genre_words[1:]))
    assert not content_block(country, genres=[("home:no",), {"home:no": 2.0}]).any()
    genres = content_block(space, genres=[("jazz",)])
    assert genres.shape == (1, block.shape[1]) and genres.any()


def test_relative_weights_by_hand():
    one = ItemSet(
        np.array([1, 2, 9]),
        np.array([0, np.e**2 - 1, 0], np.float32),
        np.array([ARTIST, ARTIST, GENRE_GROUP]),
    )
    other = ItemSet(np.array([5]), np.array([700], np.float32), np.array([ARTIST]))
    weights, spread = relative_weights([one, other])
    expected = [MEAN_WEIGHT - 1, MEAN_WEIGHT + 1, MEAN_WEIGHT, MEAN_WEIGHT]
    assert weights.tolist() == pytest.approx(expected)
    assert spread.tolist() == pytest.approx([-1 / 1.3, 1 / 1.3, 0, 0])


def test_a_hundred_times_the_plays_gives_the_same_weights(trained):
    """Total plays identify a person and say nothing about taste: the towers must not see them."""
    for one in ring(8, artists=16, hits=8, seed=4):
        scaled = {k: replace(a, plays=a.plays * 100) for k, a in one.artists.items()}
        assert cosine(trained, one, replace(one, artists=scaled)) > 0.998
    alike = make_profile("a", {f"artist {n}": 1 for n in range(20)})
    often = make_profile("a", {f"artist {n}": 5000 for n in range(20)})
    assert cosine(trained, alike, often) > 0.9999


@pytest.mark.parametrize(("count", "pieces"), [(0, 1), (1, 1), (40, 1), (41, 2), (2000, 50)])
def test_chunks_are_even_and_whole(count, pieces):
    items = artists(np.random.default_rng(0).exponential(50, count).tolist())
    cut = split_chunks(items, 40)
    assert len(cut) == pieces
    sizes = [len(c.rows) for c in cut]
    assert max(sizes) - min(sizes) <= 1 and max(sizes) <= 40
    assert sorted(np.concatenate([c.rows for c in cut])) == sorted(items.rows)
    totals = [c.plays.sum() for c in cut]
    if pieces > 1:
        assert max(totals) < 1.5 * min(totals)


def test_every_chunk_has_the_groups():
    groups = ItemSet(np.array([900, 901]), np.zeros(2, np.float32), np.array([1, 3]))
    many = artists([float(n) for n in range(100)])
    both = ItemSet(*(np.concatenate([getattr(many, n), getattr(groups, n)])
                     for n in ("rows", "plays", "item_types")))  # fmt: skip
    for chunk in split_chunks(both, 40):
        assert chunk.rows[-2:].tolist() == [900, 901] and chunk.item_types[-2:].tolist() == [1, 3]
        assert len(chunk.rows) in (35, 36)


def test_chunks_dont_depend_on_the_order_of_artists_played_alike():
    items = artists([1.0] * 90)
    order = np.random.default_rng(0).permutation(90)
    other = ItemSet(items.rows[order], items.plays[order], items.item_types[order])
    for a, b in zip(split_chunks(items, 40), split_chunks(other, 40), strict=True):
        assert sorted(a.rows) == sorted(b.rows)


def test_collate_pads_with_zeros():
    batch = collate([artists([1, 2, 3]), artists([5])])
    assert batch.rows.tolist() == [[1, 2, 3], [1, 0, 0]]
    assert batch.weights[1].tolist() == [MEAN_WEIGHT, 0, 0]
    assert batch.count.tolist() == [3, 1]
    assert collate([artists([])]).rows.tolist() == [[0]]


def test_titles_are_read_by_the_longest_genre_in_them():
    words = frozenset({"metal", "black metal", "new wave of british heavy metal", "r&b", "k-pop",
                       "drum and bass", "rock"})  # fmt: skip
    titles = ["BLACK METAL mornings", "metal", "R&B / K-Pop!", "Drum and Bass and rock", "rocking"]
    assert title_genres(titles, words) == {
        "black metal": 1, "metal": 1, "r&b": 1, "k-pop": 1, "drum and bass": 1, "rock": 1,
    }  # fmt: skip
    assert title_genres(["metal metal", ""], words) == {"metal": 2}


def test_coverage_has_shares_effective_artists_and_unknown_names(trained):
    by_content = "artist 9"  # as if nobody had played it in training
    df = trained.catalogue.df.copy()
    df[trained.catalogue.row(by_content)] = 0
    catalogue = replace(trained.catalogue, df=df)
    profile = Profile(
        "a",
        {
            "artist 3": Artist("artist 3", 40),
            by_content: Artist(by_content, 20),
            "told": Artist("Told", 20, ("metal",)),
            "small": Artist("Small", 5),
            "large": Artist("Large", 15),
        },
    )
    found = coverage_of(profile, catalogue, trained.content.space)
    assert found.plays == pytest.approx(0.8) and found.by_content == pytest.approx(0.5)
    share = np.array([0.5, 0.25, 0.25])
    assert found.effective_artists == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert found.unknown == ("Large", "Small")


def test_of_strangers_alone_nothing_is_recognised(trained):
    found = coverage_of(make_profile("a", {"who": 3}), trained.catalogue, trained.content.space)
    assert (found.plays, found.by_content, found.effective_artists) == (
        0,
        0,
        0,
    ) and found.unknown == ("who",)
    assert coverage_of(Profile("b"), trained.catalogue, trained.content.space).unknown == ()


def test_a_hundred_thousand_artists_are_read_in_seconds(trained):
    known = {f"artist {n}": Artist(f"artist {n}", n + 1.0) for n in range(200)}
    strange = {f"x{n}": Artist(f"x{n}", 2.0, ("jazz",)) for n in range(100_000)}
    profile = Profile("a", known | strange)
    began = time.perf_counter()
    vector = trained.embed([profile])
    trained.coverage(profile)
    assert time.perf_counter() - began < 5
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "name",
    ["\x00", "<script>alert(1)</script>", "'; DROP TABLE listeners;--", "\u202eevil", "💥" * 500,
     "{}{0.__class__}", "%s%n", "../../etc/passwd", "\ud800"],
)  # fmt: skip
def test_hostile_names_are_names(trained, name):
    profile = Profile(
        name,
        {name: Artist(name, 3, ("jazz", name))},
        genres={name: 2.0},
        playlists=(Playlist(name, ((name, name),)),),
    )
    vector = trained.embed([profile])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert trained.coverage(profile).unknown == ()
