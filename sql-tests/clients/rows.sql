-- Rows for the objects of schema.sql, and one table with values of every type.

INSERT INTO shop.customer (email, name, balance, created, born, active, mood, tags) VALUES
    ('ada@example.org', 'Ada', 1815.12, '1843-10-01 12:00:00+00', '1815-12-10', true, 'ok', '{first,"of all"}'),
    ('kurt@example.org', E'Kurt \\ G\u00f6del', 0, NULL, NULL, NULL, 'sad', '{}'),
    ('e@noether.de', E'Emmy\tNoether\nErlangen', 99999.99, '1918-07-26 00:00:00+00', '1882-03-23', false, 'it''s "fine"', NULL);
INSERT INTO orders (customer, placed, note, quantity, price, code, colour) VALUES
    (1, '2024-02-29', E'a\tb', 2, 10.5, 'ab', 'red'), (2, '2024-03-01', NULL, 1, NULL, NULL, NULL),
    (1, '2024-03-01', E'\\N', 3, 0.01, 'zz9', 'blue'), (3, '2024-03-02', '', 4, 7, NULL, 'green');
INSERT INTO "Odd Name" VALUES (1, 'from', 'abc'), (2, '''', NULL);
INSERT INTO order_lines VALUES (2, 1, NULL, 1, 'from', 20), (2, 2, 1, NULL, NULL, 10), (3, 1, NULL, 2, '''', 30);
INSERT INTO "Odd Schema"."Table" (v) VALUES (1), (2);
INSERT INTO dropped_columns VALUES (1, 'x', 1), (2, NULL, NULL);
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO options_set VALUES (1);
SELECT nextval('shop.ticket');
SELECT setval('plain_seq', 7, false);
REFRESH MATERIALIZED VIEW daily;

CREATE TABLE every_type (
    a_bool boolean, a_int2 smallint, a_int4 integer, a_int8 bigint, a_float4 real, a_float8 double precision,
    a_numeric numeric, a_numeric_ps numeric(10, 3), a_text text, a_varchar character varying(20), a_char character(5),
    a_name name, an_internal_char "char", a_bytea bytea, a_uuid uuid, a_date date, a_time time(3), a_timetz time with time zone,
    a_timestamp timestamp without time zone, a_timestamptz timestamp(2) with time zone, an_interval interval,
    a_day_interval interval day to second(3), a_bit bit(4), a_varbit bit varying(10), a_json json, a_jsonb jsonb,
    a_jsonpath jsonpath, an_oid oid, a_regclass regclass, a_regtype regtype, some_int4 integer[], some_text text[], some_numeric numeric(6,2)[],
    some_moods shop.mood[], some_dates date[], a_mood shop.mood, an_email shop.email, a_positive shop.positive
);
INSERT INTO every_type VALUES
    (true, -32768, 2147483647, -9223372036854775808, 1.5, 'NaN', 'NaN', 1234567.891, E'gr\u00fc\u00dfe \\ "quoted" \t', 'abc', 'ab',
     'a name', 'x', '\x00ff10', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-02-29', '23:59:59.999', '12:00:00+02',
     '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.78+00', '1 year 2 mons -3 days 04:05:06.007', '3 days 04:05:06.789',
     B'1010', B'110', '{"a": [1, 2,  "x"]}', '{"b": null, "a": 1.50}', '$.a[*] ? (@ > 1)', 4294967295, 'pg_class', 'integer',
     '{1,NULL,3}', '{"a b",NULL,"NULL","","x\\y"}', '{1.5,NULL}', '{sad,"it''s \"fine\""}', '{2024-01-01,infinity}', 'sad', 'a@b.c', 1),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x@y.z', NULL),
    (false, 0, 0, 0, '-Infinity', 0.1, -0.000001, 0, '', '', '', '', '', '\x', '00000000-0000-0000-0000-000000000000',
     '0044-03-15 BC', '00:00', '00:00-12', '-infinity', 'infinity', '-00:00:01', '00:00', B'0000', B'', '[]', '{}', '$', 0, NULL, NULL,
     '[0:1]={5,6}', '{{a,b},{c,d}}', '{}', '{}', NULL, NULL, '@', 7);
