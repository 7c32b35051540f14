"""What SQLAlchemy's Inspector and MetaData.reflect find out about the objects of schema.sql, for two drivers of Python, and
what its ORM and its DDL do. Prints all of it; $NQDB_TARGET says which server is asked."""

import asyncio
import os
import re

import sqlalchemy
from sqlalchemy import Boolean, Column, DateTime, Enum, Index, Integer, MetaData, Numeric, String, Table, func, inspect, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable

SCHEMAS = ["public", "shop", "Odd Schema"]


def url(driver):
    parts = dict(part.split("=", 1) for part in os.environ["NQDB_TARGET"].split())
    return sqlalchemy.URL.create(
        f"postgresql+{driver}",
        username=parts["user"],
        password=parts.get("password"),
        host=parts["host"],
        port=int(parts["port"]),
        database=parts["dbname"],
    )


def plain(value):
    """The same text in every run: sets and objects have no order and an address."""
    if isinstance(value, dict):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def show(title, value):
    value = plain(value)
    if isinstance(value, list) and title.rsplit(" ", 1)[-1] not in ("columns", "labels"):
        value = sorted(value, key=str)
    print(f"{title}: {value}")


def inspect_everything(connection):
    inspector = inspect(connection)
    show("default schema", inspector.default_schema_name)
    show("schemas", [name for name in inspector.get_schema_names()])
    for schema in SCHEMAS:
        show(f"{schema} tables", inspector.get_table_names(schema=schema))
        show(f"{schema} sorted tables", [name for name, _ in inspector.get_sorted_table_and_fkc_names(schema=schema)])
        show(f"{schema} views", inspector.get_view_names(schema=schema))
        show(f"{schema} materialized views", inspector.get_materialized_view_names(schema=schema))
        show(f"{schema} foreign tables", inspector.get_foreign_table_names(schema=schema))
        show(f"{schema} sequences", inspector.get_sequence_names(schema=schema))
        show(f"{schema} enums", inspector.get_enums(schema=schema))
        show(f"{schema} domains", inspector.get_domains(schema=schema))
        kinds = {"schema": schema, "kind": sqlalchemy.engine.reflection.ObjectKind.ANY}
        for title, found in (
            ("columns", inspector.get_multi_columns(**kinds)),
            ("primary keys", inspector.get_multi_pk_constraint(**kinds)),
            ("foreign keys", inspector.get_multi_foreign_keys(**kinds)),
            ("unique", inspector.get_multi_unique_constraints(**kinds)),
            ("checks", inspector.get_multi_check_constraints(**kinds)),
            ("indexes", inspector.get_multi_indexes(**kinds)),
            ("comments", inspector.get_multi_table_comment(**kinds)),
            ("options", inspector.get_multi_table_options(**kinds)),
        ):
            for key in sorted(found, key=str):
                show(f"{key} {title}", found[key])
        for view in sorted(inspector.get_view_names(schema=schema)):
            show(f"{schema} {view} definition", inspector.get_view_definition(view, schema=schema))
    for name in ("orders", "nosuch"):
        show(f"has {name}", inspector.has_table(name))
    show("has sequence", inspector.has_sequence("plain_seq"))
    show("has index", inspector.has_index("orders", "orders_customer_idx"))
    show("has schema", inspector.has_schema("shop"))
    metadata = MetaData()
    for schema in SCHEMAS:
        metadata.reflect(connection, schema=schema, views=True)
    for table in sorted(metadata.tables.values(), key=str):
        if any(isinstance(column.type, sqlalchemy.types.NullType) for column in table.columns):
            show("not all types known of", table.name)
            continue
        print(str(CreateTable(table).compile(dialect=postgresql.dialect())).strip())
        for index in sorted(table.indexes, key=lambda index: index.name):
            print(CreateIndex(index).compile(dialect=postgresql.dialect()))


class Base(DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "article"
    __table_args__ = (Index("article_title_idx", "title", postgresql_where=sqlalchemy.text("price > 0")), {"comment": "what is sold"})
    id = mapped_column(Integer, primary_key=True)
    title = mapped_column(String(50), unique=True, comment="shown to people")
    price = mapped_column(Numeric(10, 2), server_default="1.5")
    state = mapped_column(Enum("new", "old", name="article_state"))
    kept = mapped_column(Boolean, default=True)
    tags = mapped_column(postgresql.ARRAY(String))
    facts = mapped_column(postgresql.JSONB)
    made = mapped_column(DateTime(timezone=True), server_default=func.now())


def use_orm(engine):
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            Article(title=f"article {at}", state="new" if at % 2 else "old", tags=["a", f"t{at}"], facts={"at": at})
            for at in range(30)
        )
        session.commit()
        show("count", session.scalar(select(func.count()).select_from(Article)))
        rows = session.scalars(select(Article).where(Article.facts["at"].astext.cast(Integer) > 26).order_by(Article.id))
        show("found", [(row.id, row.title, str(row.price), row.state, row.kept, row.tags, row.facts) for row in rows])
        show("tagged", session.scalars(select(Article.id).where(Article.tags.contains(["t7"]))).all())
        article = session.get(Article, 3)
        article.price = 10
        session.flush()
        nested = session.begin_nested()
        try:
            session.execute(sqlalchemy.insert(Article).values(title="article 1"))
        except sqlalchemy.exc.IntegrityError as error:
            show("refused", [error.orig.sqlstate, error.orig.diag.constraint_name])
            nested.rollback()
        upsert = postgresql.insert(Article).values(title="article 2", price=99)
        upsert = upsert.on_conflict_do_update(index_elements=["title"], set_={"price": upsert.excluded.price})
        show("upserted", [str(price) for price in session.scalars(upsert.returning(Article.price))])
        locked = session.scalars(select(Article).where(Article.id < 4).order_by(Article.id).with_for_update(skip_locked=True))
        show("locked", [row.title for row in locked])
        session.execute(sqlalchemy.delete(Article).where(Article.id > 20))
        session.commit()
        by_state = select(Article.state, func.sum(Article.price), func.array_agg(postgresql.aggregate_order_by(Article.id, Article.id))).group_by(Article.state)
        show("grouped", [str(row) for row in session.execute(by_state.order_by(Article.state))])
    Base.metadata.drop_all(engine)
    show("left", inspect(engine).has_table("article"))


async def through_asyncpg():
    engine = create_async_engine(url("asyncpg"))
    async with engine.connect() as connection:
        await connection.run_sync(inspect_everything)
    await engine.dispose()


def main():
    engine = sqlalchemy.create_engine(url("psycopg"))
    with engine.connect() as connection:
        inspect_everything(connection)
    use_orm(engine)
    table = Table("in_transaction", MetaData(), Column("id", Integer, primary_key=True))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"id": at} for at in range(100)])
        show("isolation", connection.get_isolation_level())
    table.drop(engine)
    engine.dispose()
    asyncio.run(through_asyncpg())


main()
