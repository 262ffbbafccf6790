"""The command line program: `python -m twotower COMMAND`.

Each command imports heavy libraries itself, so that `--help` is quick.
"""

import typer

from twotower.cli import (
    assets,
    community,
    dataset,
    doctor,
    embed,
    evaluate,
    explain,
    import_files,
    map,
    membership,
    neighbours,
    refresh,
    serve,
    train,
)
from twotower.cli.terminal import Commands

app = typer.Typer(
    cls=Commands,
    name="twotower",
    help="Find listeners who hear music the way you do.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
map_app = typer.Typer(help="Lay out the map, or place a person on it.", rich_markup_mode=None)
app.add_typer(map_app, name="map")
community_app = typer.Typer(
    help="Manage the community: join, update, leave, import, back up.", rich_markup_mode=None
)
app.add_typer(community_app, name="community")

app.command("app", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    serve.serve
)
app.command("import")(import_files.import_)
app.command("dataset")(dataset.dataset)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("ablate")(evaluate.ablate)
app.command("learning-curve")(evaluate.learning_curve)
app.command("calibrate")(evaluate.calibrate)
app.command("embed")(embed.embed)
app.command("embed-join")(embed.embed_join)
app.command("neighbours")(neighbours.neighbours)
app.command("explain")(explain.explain)
app.command("assets")(assets.assets)
app.command("card")(assets.card)
app.command("refresh")(refresh.refresh)
app.command("doctor")(doctor.doctor)
map_app.command("fit")(map.map_fit)
map_app.command("place")(map.map_place)
community_app.command("init")(community.init)
community_app.command("import")(community.import_)
community_app.command("join")(membership.join)
community_app.command("update")(membership.update)
community_app.command("leave")(membership.leave)
community_app.command("export")(membership.export)
community_app.command("stats")(community.stats)
community_app.command("verify-receipt")(membership.verify_receipt)
community_app.command("backup")(community.backup)
community_app.command("index")(community.index)
