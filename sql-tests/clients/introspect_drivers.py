"""What psycopg and asyncpg find out about types and results over the objects of schema.sql and rows.sql. Prints all of it;
$NQDB_TARGET says which server is asked. Numbers of users' types differ between servers and are left out."""

import asyncio
import os

import asyncpg
import psycopg
import psycopg.types
from psycopg.types.enum import EnumInfo

TARGET = os.environ["NQDB_TARGET"]
TYPES = ["int4", "text", "numeric", "timestamptz", "bool", "_text", "jsonb", "shop.mood", "colour", "shop.email", "short_code", "nosuchtype"]


def built_in(oid):
    """A number that both servers have: users' types are numbered anew on each."""
    return oid if oid < 16384 else "a user's type"


def with_psycopg():
    with psycopg.connect(TARGET, autocommit=True) as connection:
        for name in TYPES:
            info = psycopg.types.TypeInfo.fetch(connection, name)
            print("type", name, info and (info.name, built_in(info.oid), built_in(info.array_oid), info.regtype, info.delimiter))
        for name in ("shop.mood", "colour"):
            info = EnumInfo.fetch(connection, name)
            info.register(connection)
            print("enum", name, info.name, info.labels)
        for binary in (False, True):
            with connection.cursor(binary=binary) as cursor:
                for query in ("SELECT * FROM shop.customer ORDER BY id", "SELECT * FROM orders ORDER BY id", "SELECT * FROM moods ORDER BY name"):
                    cursor.execute(query)
                    for column in cursor.description:
                        print(column.name, built_in(column.type_code), column.display_size, column.internal_size, column.precision, column.scale)
                    for row in cursor.fetchall():
                        print(row)
        # Names of objects go as parameters, too.
        for reg_type, name in (("regclass", "shop.customer"), ("regtype", "shop.mood"), ("regproc", "lower"), ("regnamespace", "shop"), ("regrole", "shop_owner")):
            print(connection.execute(f"SELECT %s::{reg_type}::text, %s::{reg_type}[]::text", [name if name != "lower" else "pg_typeof", [name if name != "lower" else "pg_typeof"]]).fetchone())
        for name in ("orders", "shop.ticket"):
            print(connection.execute("SELECT relname, relkind FROM pg_class WHERE oid = %s::regclass", [name]).fetchone())


async def with_asyncpg():
    parts = dict(part.split("=", 1) for part in TARGET.split())
    connection = await asyncpg.connect(host=parts["host"], port=int(parts["port"]), user=parts["user"], database=parts["dbname"], password=parts.get("password"))
    for query in ("SELECT * FROM shop.customer ORDER BY id", "SELECT mood, tags, ARRAY[mood] AS moods FROM shop.customer ORDER BY id", "SELECT * FROM orders ORDER BY id"):
        statement = await connection.prepare(query)
        for attribute in statement.get_attributes():
            print(attribute.name, attribute.type.name, attribute.type.kind, attribute.type.schema)
        for row in await statement.fetch():
            print(tuple(row))
    statement = await connection.prepare("SELECT id FROM orders WHERE colour = $1 AND price > $2 AND placed = ANY($3) ORDER BY id")
    for parameter in statement.get_parameters():
        print("parameter", parameter.name, parameter.kind, parameter.schema)
    await connection.set_type_codec("colour", encoder=str, decoder=lambda text: text.upper(), schema="public", format="text")
    for row in await connection.fetch("SELECT id, colour FROM orders ORDER BY id"):
        print(tuple(row))
    print(connection.get_server_version())
    await connection.reset()
    await connection.close()


with_psycopg()
asyncio.run(with_asyncpg())
