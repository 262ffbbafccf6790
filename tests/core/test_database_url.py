"""Messages name a database without its password."""

import pytest

from twotower.community import Community
from twotower.core.database_url import UNNAMED, describe_database
from twotower.core.errors import CommunityError

SECRET = "s3cret"
# Passwords where an address may have one, also with characters that should have been quoted.
WITH_PASSWORD = (
    f"postgresql://me:{SECRET}@127.0.0.1:1/music",
    f"postgresql://me@127.0.0.1:1/music?password={SECRET}",
    f"postgresql://127.0.0.1:1/music?password=a@{SECRET}/b",
    f"postgresql://me:a@{SECRET}@127.0.0.1:1/music",
    f"postgresql://me:{SECRET}@b@127.0.0.1:1/music",
    f"postgresql://me:{SECRET}/b@127.0.0.1:1/music",
    f"postgresql://me:12/{SECRET}@127.0.0.1:1/music",
    f"postgresql://me:a:{SECRET}@127.0.0.1:{SECRET}/music",
    f"postgresql://me:a?{SECRET}@127.0.0.1:1/music",
    f"postgresql://me:a#{SECRET}@127.0.0.1:1/music",
    f"nosuchbase://me:{SECRET}@127.0.0.1/x",
    f"me:{SECRET}",
)


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_no_message_has_the_password(url: str):
    assert SECRET not in describe_database(url)
    with pytest.raises(CommunityError) as caught:
        Community.open(url, model_version="1", wait_s=0.05)
    assert SECRET not in str(caught.value) and caught.value.message


@pytest.mark.parametrize(
    ("url", "described"),
    [
        ("sqlite:////var/music.sqlite", "sqlite:////var/music.sqlite"),
        ("postgresql+psycopg://me:x@db.example.org:5432/music?sslmode=require",
         "postgresql://db.example.org:5432/music"),
        ("postgresql://postgres:@/music?host=/tmp/socket", "postgresql:///music"),
        ("postgresql://[::1]:5432/music", "postgresql://[::1]:5432/music"),
        ("postgresql://me:a@b@db.example.org/music", UNNAMED),
    ],
)  # fmt: skip
def test_server_and_database_are_named(url: str, described: str):
    assert describe_database(url) == described
