"""`python -m twotower COMMAND`: the doors in and out of the program for a terminal.

What takes long to import is imported in the command that needs it, so that help is quick.
"""

import typer

from twotower.cli import community, data, models, operator, profiles, refresh
from twotower.cli.terminal import Commands

app = typer.Typer(
    cls=Commands,
    name="twotower",
    help="Bring your music, from anywhere, and see who hears it the way you do.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
map_app = typer.Typer(help="Make the map, or find a place on it.", rich_markup_mode=None)
app.add_typer(map_app, name="map")
community_app = typer.Typer(
    help="The listeners that can be found: join, change, leave, receipts, backups.",
    rich_markup_mode=None,
)
app.add_typer(community_app, name="community")

app.command("import")(profiles.import_)
app.command("dataset")(data.dataset)
app.command("train")(models.train)
app.command("evaluate")(models.evaluate)
app.command("ablate")(models.ablate)
app.command("learning-curve")(models.learning_curve)
app.command("embed")(models.embed)
app.command("embed-join")(models.embed_join)
app.command("neighbours")(profiles.neighbours)
app.command("assets")(models.assets)
app.command("card")(models.card)
app.command("refresh")(refresh.refresh)
app.command("doctor")(operator.doctor)
map_app.command("fit")(data.map_fit)
map_app.command("place")(profiles.map_place)
community_app.command("init")(community.init)
community_app.command("import")(community.import_)
community_app.command("join")(community.join)
community_app.command("update")(community.update)
community_app.command("leave")(community.leave)
community_app.command("export")(community.export)
community_app.command("stats")(community.stats)
community_app.command("verify-receipt")(community.verify_receipt)
community_app.command("backup")(community.backup)
community_app.command("index")(community.index)
