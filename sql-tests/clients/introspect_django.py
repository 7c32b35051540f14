"""What Django finds out about the objects of schema.sql (inspectdb), and what it does with models of its own: migrations of
the built-in apps, schema changes, queries. Prints all of it; $NQDB_TARGET says which server is asked."""

import io
import os
import sys
import tempfile

import django
from django.conf import settings
from django.core.management import call_command

PARTS = dict(part.split("=", 1) for part in os.environ["NQDB_TARGET"].split())


def database(**options):
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": PARTS["dbname"],
        "USER": PARTS["user"],
        "PASSWORD": PARTS.get("password", ""),
        "HOST": PARTS["host"],
        "PORT": PARTS["port"],
        "OPTIONS": options,
    }


APP = '''
from django.db import models
from django.contrib.postgres.fields import ArrayField


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    born = models.DateField(null=True)
    class Meta:
        app_label = "library"


class Book(models.Model):
    title = models.CharField(max_length=200, db_index=True)
    author = models.ForeignKey(Author, models.CASCADE)
    pages = models.PositiveIntegerField(default=1)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    facts = models.JSONField(default=dict)
    tags = ArrayField(models.CharField(max_length=20), default=list)
    key = models.UUIDField(null=True)
    added = models.DateTimeField(auto_now_add=True)
    class Meta:
        app_label = "library"
        ordering = ["title"]
        constraints = [
            models.CheckConstraint(check=models.Q(pages__gt=0), name="has_pages"),
            models.UniqueConstraint(fields=["title", "author"], name="one_title"),
            models.UniqueConstraint(fields=["price"], condition=models.Q(pages__gt=500), name="one_price"),
        ]
        indexes = [models.Index(fields=["-pages", "title"], name="by_pages")]
'''


def show(title, value):
    print(f"{title}: {value}")


def command(*arguments, **options):
    output = io.StringIO()
    call_command(*arguments, stdout=output, stderr=output, **options)
    return output.getvalue()


def inspect_database():
    for schema in ("public", "shop"):
        settings.DATABASES["default"]["OPTIONS"]["options"] = f"-c search_path={schema}"
        from django.db import connections

        connections["default"].close()
        del connections["default"]
        connection = connections["default"]
        with connection.cursor() as cursor:
            # Django reads a row of each; one that was never filled cannot be read.
            relations = sorted(info for info in connection.introspection.get_table_list(cursor) if info.name != "never_filled")
            print(command("inspectdb", *[info.name for info in relations]))
            for info in relations:
                show(info.name, info)
                show("sequences", connection.introspection.get_sequences(cursor, info.name))
                for column in connection.introspection.get_table_description(cursor, info.name):
                    show("column", column[:1] + column[2:])
                constraints = connection.introspection.get_constraints(cursor, info.name)
                for name in sorted(constraints):
                    show(name, sorted(constraints[name].items()))
    connections["default"].close()
    settings.DATABASES["default"]["OPTIONS"].pop("options")
    del connections["default"]


def describe(connection, *tables):
    with connection.cursor() as cursor:
        for table in tables:
            for column in connection.introspection.get_table_description(cursor, table):
                show("column", column[:1] + column[2:])
            constraints = connection.introspection.get_constraints(cursor, table)
            for name in sorted(constraints):
                show(name, sorted(constraints[name].items()))


def use_models():
    from django.db import IntegrityError, connection, models, transaction
    from django.db.models import Avg, Count, F, Q, Window
    from django.db.models.functions import Rank, TruncYear, Upper
    from library.models import Author, Book

    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    describe(connection, "library_author", "library_book")
    ada, emmy = Author.objects.create(name="Ada", born="1815-12-10"), Author.objects.create(name="Emmy", born="1882-03-23")
    Book.objects.bulk_create(
        Book(title=f"Book {at}", author=ada if at % 3 else emmy, pages=at + 1, price=f"{at}.50", facts={"at": at, "odd": bool(at % 2)}, tags=[f"t{at % 4}"])
        for at in range(40)
    )
    show("count", Book.objects.count())
    show("joined", list(Book.objects.filter(author__name__startswith="E", pages__lt=10).values_list("title", "author__name")))
    show("json", list(Book.objects.filter(facts__odd=True, facts__at__gt=33).values_list("title", flat=True)))
    show("arrays", list(Book.objects.filter(tags__contains=["t2"]).values_list("pages", flat=True)))
    show("overlap", Book.objects.filter(tags__overlap=["t1", "t3"]).count())
    show("aggregate", Book.objects.aggregate(Avg("pages"), Count("author", distinct=True)))
    show("annotated", list(Author.objects.annotate(books=Count("book", filter=Q(book__pages__gt=20))).order_by("name").values_list("name", "books")))
    ranked = Book.objects.filter(pages__lt=5).annotate(place=Window(Rank(), partition_by=F("author"), order_by=F("pages").desc()))
    show("ranked", list(ranked.order_by("pages").values_list("title", "place")))
    show("functions", list(Author.objects.annotate(loud=Upper("name"), year=TruncYear("born")).order_by("id").values_list("loud", "year")))
    show("icontains", Book.objects.filter(title__icontains="OOK 1").count())
    show("regex", Book.objects.filter(title__iregex=r"^book [1-3]$").count())
    show("updated", Book.objects.filter(pages=1).update(price=F("price") + 1))
    show("exists", Author.objects.filter(models.Exists(Book.objects.filter(author=models.OuterRef("pk"), pages__gt=39))).count())
    try:
        with transaction.atomic():
            Author.objects.create(name="Ada")
    except IntegrityError as error:
        show("refused", error)
    with transaction.atomic():
        show("locked", Author.objects.select_for_update(of=("self",), skip_locked=True).get(name="Ada").name)
        Author.objects.bulk_create([Author(name="Ada"), Author(name="Kurt")], ignore_conflicts=True)
    show("upserted", [author.name for author in Author.objects.bulk_create([Author(name="Ada", born="1815-12-11")], update_conflicts=True, unique_fields=["name"], update_fields=["born"])])
    show("iterated", sum(book.pages for book in Book.objects.iterator(chunk_size=7)))
    show("explained", bool(Book.objects.filter(pages=3).explain()))
    show("union", Book.objects.filter(pages=3).union(Book.objects.filter(pages__in=[4, 5])).count())
    show("distinct", list(Book.objects.order_by("author_id", "-pages").distinct("author_id").values_list("title", flat=True)))
    show("deleted", Author.objects.filter(name="Emmy").delete())
    with connection.schema_editor() as editor:
        extra = models.CharField(max_length=10, default="none")
        extra.set_attributes_from_name("extra")
        editor.add_field(Book, extra)
        index = models.Index(fields=["price"], name="by_price")
        editor.add_index(Book, index)
        editor.remove_index(Book, index)
        editor.remove_field(Book, extra)
        editor.alter_db_table(Author, "library_author", "library_writer")
        editor.alter_db_table(Author, "library_writer", "library_author")
    describe(connection, "library_book")
    with connection.schema_editor() as editor:
        editor.delete_model(Book)
        editor.delete_model(Author)


def migrate():
    show("made", command("makemigrations", "library", verbosity=0))
    print(command("sqlmigrate", "library", "0001"))
    print(command("migrate", "library", verbosity=1, no_color=True))
    print(command("migrate", "sessions", verbosity=1, no_color=True))
    print(command("migrate", "admin", verbosity=1, no_color=True))
    print(command("showmigrations", "library", "sessions", "auth", "admin", no_color=True))
    from django.contrib.auth.models import Group, Permission, User

    user = User.objects.create(username="ada", last_login="2024-02-29T12:00:00+00:00")
    user.groups.add(Group.objects.create(name="mathematicians"))
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    show("permissions", sorted(user.get_all_permissions()))
    show("deleted", sorted(Group.objects.all().delete()[1].items()))
    from django.contrib.sessions.backends.db import SessionStore

    store = SessionStore()
    store["seen"] = 3
    store.create()
    show("session", SessionStore(session_key=store.session_key)["seen"])
    print(command("migrate", "library", "zero", verbosity=1, no_color=True))


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "library"))
        for name, text in (("__init__.py", ""), ("models.py", APP)):
            with open(os.path.join(folder, "library", name), "w") as file:
                file.write(text)
        sys.path.insert(0, folder)
        settings.configure(
            DATABASES={"default": database()},
            INSTALLED_APPS=["django.contrib.postgres", "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.admin", "django.contrib.sessions", "library"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            USE_TZ=True,
            SECRET_KEY="of tests",
        )
        django.setup()
        inspect_database()
        use_models()
        migrate()


main()
