"""Gain and cost of retraining on listeners who join.

    TWOTOWER_DATA=DIR python benchmarks/refresh.py [--base 700] [--join 800] [--more 200] [--seed 0]

A model is trained on part of the training listeners of HetRec (split SEED). Others join its
community, in a temporary folder, and consent to training. One refresh uses the base data and is
rolled back; one does without and is rolled back; one with a spoilt model must be refused. The
figures are the refresh's own comparison of both models, with paired intervals. Neither model was
trained on the listeners held out of the split. The seed also decides which members are held out.
"""

import argparse
import hashlib
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from results import write

from twotower.bundle.build import build_community
from twotower.community import Member
from twotower.community.public_view import listed_artists
from twotower.core.domain import Listener, Profile
from twotower.core.settings import Settings
from twotower.evaluation.data import split_listeners
from twotower.matching.matcher import Matcher
from twotower.model.embedder import Embedder
from twotower.model.pipeline import fit
from twotower.model.train_config import TrainConfig
from twotower.retraining.consent import Consented
from twotower.retraining.refresh import RefreshOutcome, refresh
from twotower.retraining.rollback import roll_back
from twotower.sources.datasets.public import Sources, read_sources


def spoilt(embedder: Embedder, _: Consented) -> Embedder:
    """Return the model with noise on one tower, which the gate must refuse."""
    model = type(embedder.model)(embedder.model.config)
    model.load_state_dict(embedder.model.state_dict())
    noise = torch.randn(model.user.rotation.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.user.rotation.add_(0.5 * noise)
    return replace(embedder, model=model.eval(), version="unsaved")


def join(matcher: Matcher, profile: Profile, seed: int) -> None:
    id = hashlib.sha256(f"{seed}:{profile.id}".encode()).hexdigest()[:16]
    profile = replace(profile, id=id, origin="file", tracks=(), playlists=())
    user, candidate = (matcher.embedder.embed([profile], side)[0] for side in ("user", "candidate"))
    place = matcher.place(matcher.portrait(profile))
    listener = Listener(profile.id, f"someone {id}", "file", listed_artists(profile), (), place)
    matcher.community.join(Member(listener, user, candidate, training=True, profile=profile))


def outcome_json(outcome: RefreshOutcome) -> dict[str, Any]:
    names = ("switched", "reason", "consenting", "held", "new_artists", "left_out", "embedded")
    return {
        **{name: getattr(outcome, name) for name in names},
        "map, moved by": dict(outcome.moved),
        "seconds": dict(outcome.seconds),
        "checks": [check.to_dict() for check in outcome.checks],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=Settings.from_env().data)
    options.add_argument("--base", type=int, default=700, help="listeners of the first training")
    options.add_argument("--join", type=int, default=800, help="members who join and consent")
    options.add_argument("--steps", type=int, default=400, help="of the first training")
    options.add_argument("--more", type=int, default=200, help="steps of each refresh")
    options.add_argument("--invented", type=int, default=1500)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    torch.set_num_threads(1)
    sources = read_sources(args.data)
    split = split_listeners(sources.listeners, args.seed)
    others = (*split.validation, *split.training)
    base, joining = others[: args.base], others[args.base :][: args.join]
    played = {key for p in sources.listeners for key in p.artists}
    content = tuple(each for each in sources.content if each.key in played)
    known = Sources(base, sources.tags, content=content)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(
            folder / "none", folder / "assets", f"sqlite:///{folder / 'community.sqlite'}"
        )
        start = time.perf_counter()
        config = TrainConfig(steps=args.steps, seed=args.seed)
        embedder = fit(base, content, known.tags, config=config)
        trained_s = time.perf_counter() - start
        embedder = embedder.save(settings.model)
        build_community(known, embedder, settings.assets, seed=args.seed, listeners=args.invented)
        matcher = Matcher.load(settings)
        for profile in joining:
            if matcher.embedder.knows(profile):
                join(matcher, profile, args.seed)
        matcher.community.close()
        asks = {"others": sources.others}
        both = replace(known, listeners=(*base, *split.test), **asks)
        names = {artist.name for profile in joining for artist in profile.artists.values()}
        more = {"steps": args.more, "seed": args.seed, "names": names}
        with_base = refresh(settings, **more, data=both)
        results: dict[str, Any] = {
            "seed": args.seed,
            "base listeners": len(base),
            "joined": len(joining),
            "steps at the beginning": args.steps,
            "seconds at the beginning": trained_s,
            "steps of a refresh": args.more,
            "with base data": outcome_json(with_base),
        }
        print(results, flush=True)
        if with_base.switched:
            roll_back(settings)
        alone = Sources(split.test, **asks)
        without = refresh(settings, **more, data=alone)
        results["without base data"] = outcome_json(without)
        print(results["without base data"], flush=True)
        if without.switched:
            roll_back(settings)
        results["spoilt"] = outcome_json(
            refresh(settings, seed=args.seed, data=alone, train=spoilt)
        )
    print(results)
    print(write("refresh", results))


if __name__ == "__main__":
    main()
