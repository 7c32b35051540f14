"""psycopg 3 against the server of $NQDB_TARGET: parameters, every type in text and binary, COPY, error classes."""

import json
import os
import pathlib
import sys

import psycopg
from psycopg import errors

TARGET = os.environ["NQDB_TARGET"]
VALUES = json.loads((pathlib.Path(__file__).parent / "values.json").read_text())


def round_trip_types(connection):
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            for type_name, text in VALUES:
                cursor.execute("DROP TABLE IF EXISTS one_value")
                cursor.execute(f"CREATE TABLE one_value (v {type_name})")
                read = cursor.execute(f"SELECT %s::text::{type_name}", (text,)).fetchone()[0]
                form = "%b" if binary else "%t"
                cursor.execute(f"INSERT INTO one_value VALUES ({form})", (read,))
                back, same = cursor.execute(f"SELECT v, v::text = (%s::text::{type_name})::text FROM one_value", (text,)).fetchone()
                assert same, (type_name, text, binary, back)
                assert back == read or (back != back and read != read), (type_name, text, binary, read, back)


def parameters_and_rows(connection):
    connection.execute("DROP TABLE IF EXISTS people")
    connection.execute("CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, age int)")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO people (name, age) VALUES (%s, %s)", [("Ada", 36), ("Grace", 85), ("Kurt", None)])
        cursor.execute("INSERT INTO people (name) VALUES (%s) RETURNING id", ("Emmy",))
        assert cursor.fetchone() == (4,)
        cursor.execute("SELECT name FROM people WHERE age > %s ORDER BY name", (30,))
        assert cursor.fetchall() == [("Ada",), ("Grace",)]
        cursor.execute("UPDATE people SET age = coalesce(age, 0) + 1")
        assert cursor.rowcount == 4


def copy_both_ways(connection):
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute("CREATE TABLE copied (a int, b text)")
    rows = [(1, "one"), (2, None), (3, "tab\there, line\nbreak, back\\slash")]
    with connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        with cursor.copy("COPY copied TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            assert list(copy.rows()) == rows
        with cursor.copy("COPY copied TO STDOUT (FORMAT csv, HEADER)") as copy:
            text = b"".join(bytes(block) for block in copy).decode()
    assert text.splitlines()[:3] == ["a,b", "1,one", "2,"], text


def copy_in_binary(connection):
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute("CREATE TABLE copied (a int8, b text, c float8)")
    rows = [(1, "one", 1.5), (2, None, -0.25), (3, "tab\there", None)]
    with connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int8", "text", "float8"])
            for row in rows:
                copy.write_row(row)
        with cursor.copy("COPY copied TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int8", "text", "float8"])
            assert list(copy.rows()) == rows


def server_side_cursors(connection):
    connection.execute("DROP TABLE IF EXISTS numbers")
    connection.execute("CREATE TABLE numbers AS SELECT g AS n FROM generate_series(1, 1000) g")
    with connection.transaction():
        with connection.cursor("forward") as cursor:
            cursor.itersize = 64
            cursor.execute("SELECT n FROM numbers WHERE n > %s ORDER BY n", (10,))
            assert [n for (n,) in cursor] == list(range(11, 1001))
        for binary in (False, True):
            with connection.cursor("scrolling", scrollable=True, binary=binary) as cursor:
                cursor.execute("SELECT n, n::text AS t FROM numbers ORDER BY n DESC")
                assert cursor.fetchmany(3) == [(1000, "1000"), (999, "999"), (998, "998")]
                cursor.scroll(-2)
                assert cursor.fetchone() == (999, "999")
                cursor.scroll(999, mode="absolute")
                assert cursor.fetchall() == [(1, "1")]
        with connection.cursor("locking") as cursor:
            cursor.execute("SELECT n FROM numbers WHERE n < 4 ORDER BY n FOR UPDATE")
            assert cursor.fetchone() == (1,)
            connection.execute("DELETE FROM numbers WHERE CURRENT OF locking")
    held = connection.cursor("held", withhold=True)
    held.execute("SELECT n FROM numbers ORDER BY n")
    assert held.fetchmany(2) == [(2,), (3,)]
    assert connection.execute("SELECT name, is_holdable FROM pg_cursors").fetchall() == [("held", True)]
    held.close()
    assert connection.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)


def error_classes(connection):
    connection.execute("DROP TABLE IF EXISTS keyed")
    connection.execute("CREATE TABLE keyed (id int PRIMARY KEY)")
    connection.execute("INSERT INTO keyed VALUES (1)")
    try:
        connection.execute("INSERT INTO keyed VALUES (1)")
        raise AssertionError("a duplicate key was accepted")
    except errors.UniqueViolation as error:
        assert error.diag.constraint_name == "keyed_pkey", error.diag.constraint_name
        assert error.diag.table_name == "keyed"
    try:
        connection.execute("SELECT * FROM nowhere")
        raise AssertionError("a missing table was found")
    except errors.UndefinedTable:
        pass


def transactions(connection_string):
    with psycopg.connect(connection_string) as connection:
        connection.execute("DROP TABLE IF EXISTS counted")
        connection.execute("CREATE TABLE counted (n int)")
        with connection.transaction():
            connection.execute("INSERT INTO counted VALUES (1)")
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO counted VALUES (2)")
                    raise psycopg.Rollback()
            except psycopg.Rollback:
                pass
        assert connection.execute("SELECT count(*) FROM counted").fetchone() == (1,)
        connection.rollback()
    with psycopg.connect(connection_string) as connection, connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (number,)) for number in range(50)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))


def several_databases(connection):
    connection.execute("DROP DATABASE IF EXISTS psycopg_one WITH (FORCE)")
    connection.execute("CREATE DATABASE psycopg_one")
    with psycopg.connect(TARGET, dbname="psycopg_one", autocommit=True) as one:
        assert one.info.dbname == "psycopg_one"
        assert one.execute("SELECT current_database()").fetchone() == ("psycopg_one",)
        one.execute("CREATE TABLE keyed (name text PRIMARY KEY)")
        one.execute("INSERT INTO keyed VALUES (%s)", ("one",))
        assert one.execute("SELECT * FROM keyed").fetchall() == [("one",)]
        try:
            connection.execute("ALTER DATABASE psycopg_one ALLOW_CONNECTIONS false")
            psycopg.connect(TARGET, dbname="psycopg_one")
            raise AssertionError("a closed database took a session")
        except psycopg.OperationalError as error:
            assert "is not currently accepting connections" in str(error), error
    assert connection.execute("SELECT id FROM keyed").fetchall() == [(1,)]
    connection.execute("DROP DATABASE psycopg_one")
    try:
        psycopg.connect(TARGET, dbname="psycopg_one")
        raise AssertionError("a dropped database took a session")
    except psycopg.OperationalError as error:
        assert 'database "psycopg_one" does not exist' in str(error), error


def notifications():
    with psycopg.connect(TARGET, autocommit=True) as listener, psycopg.connect(TARGET) as notifier:
        listener.execute('LISTEN "Orders"')
        assert listener.execute("SELECT pg_listening_channels()").fetchall() == [("Orders",)]
        for number in range(3):
            notifier.execute("SELECT pg_notify('Orders', %s)", (f"order {number}",))
            notifier.execute("NOTIFY elsewhere")
        assert list(listener.notifies(timeout=0.2)) == []
        notifier.commit()
        heard = list(listener.notifies(timeout=10, stop_after=3))
        assert [(one.channel, one.payload) for one in heard] == [("Orders", f"order {number}") for number in range(3)], heard
        assert all(one.pid == notifier.info.backend_pid for one in heard), heard
        listener.execute("UNLISTEN *")


def main():
    with psycopg.connect(TARGET, autocommit=True) as connection:
        round_trip_types(connection)
        parameters_and_rows(connection)
        copy_both_ways(connection)
        copy_in_binary(connection)
        server_side_cursors(connection)
        error_classes(connection)
        several_databases(connection)
    notifications()
    transactions(TARGET)
    print(f"psycopg {psycopg.__version__}: ok")


if __name__ == "__main__":
    sys.exit(main())
