"""asyncpg against the server of $NQDB_TARGET: it speaks binary only, and prepares every statement."""

import asyncio
import json
import os
import pathlib

import asyncpg

VALUES = json.loads((pathlib.Path(__file__).parent / "values.json").read_text())


def parameters(target):
    """A libpq-style string as asyncpg's arguments."""
    words = dict(word.split("=", 1) for word in target.split())
    arguments = {"host": words["host"], "port": int(words["port"]), "user": words["user"], "database": words["dbname"],
                 "password": words.get("password")}
    if words.get("sslmode", "disable") != "disable":
        arguments["ssl"] = "require"
    else:
        arguments["ssl"] = False
    return arguments


async def round_trip_types(connection):
    for type_name, text in VALUES:
        await connection.execute("DROP TABLE IF EXISTS one_value")
        await connection.execute(f"CREATE TABLE one_value (v {type_name})")
        read = await connection.fetchval(f"SELECT $1::text::{type_name}", text)
        await connection.execute("INSERT INTO one_value VALUES ($1)", read)
        back = await connection.fetchval("SELECT v FROM one_value")
        same = await connection.fetchval(f"SELECT v::text = ($1::text::{type_name})::text FROM one_value", text)
        assert same and (back == read or back != back), (type_name, text, read, back)


async def rows_and_errors(connection):
    await connection.execute("DROP TABLE IF EXISTS keyed")
    await connection.execute("CREATE TABLE keyed (id int PRIMARY KEY, name text)")
    await connection.executemany("INSERT INTO keyed VALUES ($1, $2)", [(number, f"name {number}") for number in range(100)])
    rows = await connection.fetch("SELECT * FROM keyed WHERE id >= $1 ORDER BY id DESC LIMIT $2", 50, 3)
    assert [(row["id"], row["name"]) for row in rows] == [(99, "name 99"), (98, "name 98"), (97, "name 97")]
    try:
        await connection.execute("INSERT INTO keyed VALUES ($1, $2)", 5, "again")
        raise AssertionError("a duplicate key was accepted")
    except asyncpg.UniqueViolationError as error:
        assert error.constraint_name == "keyed_pkey"
    async with connection.transaction(isolation="repeatable_read"):
        count = 0
        async for _ in connection.cursor("SELECT id FROM keyed", prefetch=7):
            count += 1
        assert count == 100


async def copy_both_ways(connection):
    await connection.execute("DROP TABLE IF EXISTS copied")
    await connection.execute("CREATE TABLE copied (a int, b text)")
    import io
    await connection.copy_to_table("copied", source=io.BytesIO(b"1,one\n2,\n"), format="csv")
    out = io.BytesIO()
    await connection.copy_from_table("copied", output=out, format="csv")
    assert out.getvalue() == b"1,one\n2,\n", out.getvalue()


async def notifications(connection):
    heard = asyncio.Queue()
    await connection.add_listener("orders", lambda _, pid, channel, payload: heard.put_nowait((pid, channel, payload)))
    notifier = await asyncpg.connect(**parameters(os.environ["NQDB_TARGET"]), statement_cache_size=0)
    async with notifier.transaction():
        await notifier.execute("SELECT pg_notify($1, $2)", "orders", "one")
        await notifier.execute("NOTIFY orders, 'two'")
    await connection.execute("NOTIFY orders, 'my own'")
    notifier_pid, own_pid = notifier.get_server_pid(), connection.get_server_pid()
    for expected in [(notifier_pid, "orders", "one"), (notifier_pid, "orders", "two"), (own_pid, "orders", "my own")]:
        assert await asyncio.wait_for(heard.get(), 10) == expected
    await connection.reset()
    await notifier.execute("NOTIFY orders, 'nobody'")
    await connection.fetchval("SELECT 1")
    assert heard.empty()
    await notifier.close()


async def main():
    # The tables change their types under the same text, so statements are not cached.
    connection = await asyncpg.connect(**parameters(os.environ["NQDB_TARGET"]), statement_cache_size=0)
    try:
        await round_trip_types(connection)
        await rows_and_errors(connection)
        await copy_both_ways(connection)
        await notifications(connection)
    finally:
        await connection.close()
    print(f"asyncpg {asyncpg.__version__}: ok")


if __name__ == "__main__":
    asyncio.run(main())
