"""What SQLAlchemy's Inspector, Django's inspectdb and psycopg's type lookup find out about one schema.

Run with $NQDB_TARGET alone it checks that all of it works; with $NQDB_REFERENCE, a PostgreSQL server, the answers must be
equal. Both databases are given the schema below."""

import contextlib
import io
import os
import sys

import psycopg
import psycopg.types
import sqlalchemy
from sqlalchemy import inspect

SCHEMA = """
DROP SCHEMA IF EXISTS shop CASCADE;
CREATE SCHEMA shop;
CREATE TABLE shop.customer (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email varchar(100) NOT NULL UNIQUE,
    name text NOT NULL DEFAULT 'nobody',
    balance numeric(12, 2) DEFAULT 0 CONSTRAINT balance_check CHECK (balance >= 0),
    created timestamptz DEFAULT now(),
    born date,
    active boolean DEFAULT true
);
CREATE TABLE shop.orders (
    id bigserial PRIMARY KEY,
    customer int NOT NULL,
    placed timestamp(3) NOT NULL,
    note char(10),
    ratio double precision,
    CONSTRAINT orders_customer_placed_key UNIQUE (customer, placed)
);
CREATE INDEX orders_note_idx ON shop.orders (note DESC, ratio);
CREATE SEQUENCE shop.ticket;
"""


def settings_of(target):
    return dict(part.split("=", 1) for part in target.split())


def plain(value):
    """Without the objects that are different in every run."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def by_sqlalchemy(target):
    parts = settings_of(target)
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=parts["user"],
        password=parts.get("password"),
        host=parts["host"],
        port=int(parts["port"]),
        database=parts["dbname"],
    )
    engine = sqlalchemy.create_engine(url)
    inspector = inspect(engine)
    found = {"schemas": "shop" in inspector.get_schema_names()}
    found["tables"] = sorted(inspector.get_table_names(schema="shop"))
    found["views"] = inspector.get_view_names(schema="shop")
    found["sequences"] = sorted(inspector.get_sequence_names(schema="shop"))
    for table in found["tables"]:
        found[table] = {
            "columns": inspector.get_columns(table, schema="shop"),
            "primary key": inspector.get_pk_constraint(table, schema="shop"),
            "foreign keys": inspector.get_foreign_keys(table, schema="shop"),
            "indexes": sorted(inspector.get_indexes(table, schema="shop"), key=lambda index: index["name"]),
            "unique": sorted(inspector.get_unique_constraints(table, schema="shop"), key=lambda key: key["name"]),
            "checks": inspector.get_check_constraints(table, schema="shop"),
            "comment": inspector.get_table_comment(table, schema="shop"),
        }
    metadata = sqlalchemy.MetaData()
    metadata.reflect(engine, schema="shop")
    found["reflected"] = sorted(metadata.tables)
    engine.dispose()
    return plain(found)


def by_django(target):
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    parts = settings_of(target)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "PASSWORD": parts.get("password", ""),
        "HOST": parts["host"],
        "PORT": parts["port"],
        "OPTIONS": {"options": "-c search_path=shop"},
    }
    if not settings.configured:
        settings.configure(DATABASES={"default": database})
        django.setup()
    connections.databases["default"].update(database)
    with contextlib.suppress(AttributeError):
        del connections["default"]
    output = io.StringIO()
    call_command("inspectdb", stdout=output)
    connections["default"].close()
    return output.getvalue()


def by_psycopg(target):
    with psycopg.connect(target) as connection:
        found = {}
        for name in ("int4", "text", "numeric", "timestamptz", "bool", "nosuchtype"):
            info = psycopg.types.TypeInfo.fetch(connection, name)
            found[name] = info and (info.name, info.oid, info.array_oid, info.regtype, info.delimiter)
        return found


def answers(target):
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        for statement in SCHEMA.split(";"):
            if statement.strip():
                connection.execute(statement)
    return {"sqlalchemy": by_sqlalchemy(target), "django": by_django(target), "psycopg": by_psycopg(target)}


def main():
    found = answers(os.environ["NQDB_TARGET"])
    assert found["sqlalchemy"]["tables"] == ["customer", "orders"], found["sqlalchemy"]["tables"]
    assert "class Customer(models.Model)" in found["django"], found["django"]
    assert found["psycopg"]["int4"][:3] == ("int4", 23, 1007), found["psycopg"]
    reference = os.environ.get("NQDB_REFERENCE")
    if reference:
        expected = answers(reference)
        for tool, answer in expected.items():
            if answer != found[tool]:
                sys.exit(f"{tool} differs\nexpected: {answer}\nfound:    {found[tool]}")
    print("introspection: ok")


main()
