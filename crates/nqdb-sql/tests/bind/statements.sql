SELECT 1
SELECT 1, 'a', NULL, true, 1.5, 99999999999, 1e3
SELECT
SELECT a FROM t
SELECT * FROM t
SELECT t.* FROM t
SELECT x.* FROM t AS x
SELECT a, b AS bee, c cee FROM t
SELECT T.A FROM T
SELECT public.t.a FROM public.t
SELECT nope FROM t
SELECT nam FROM u
SELECT u.nam FROM u
SELECT t.nope FROM t
SELECT x.a FROM t
SELECT t.a FROM t x
SELECT a FROM t, u
SELECT t.a FROM t, t
SELECT t.a FROM t, t AS t
SELECT 1 FROM missing
SELECT 1 FROM nosuch.missing
SELECT * FROM t_pkey
SELECT *
SELECT 1 + 1
SELECT 1 + 'a'
SELECT 1 + '2'
SELECT a + b FROM t
SELECT a + i, a + n, a + d, a + h, n + n FROM t
SELECT a = b FROM t
SELECT a = '1', b = 'x', f = '2020-01-01', e < 'now' FROM t
SELECT f = 'garbage' FROM t
SELECT a = 'x1' FROM t
SELECT b || a, 'x' || b, c || 'y', 'a' || 'b' FROM t
SELECT a || a FROM t
SELECT -a, +a, - - a, -2147483648, -9223372036854775808, -1.5 FROM t
SELECT -b FROM t
SELECT @ -5, |/ 4, ~ 5
SELECT 2 ^ 3, -2 ^ 2, 5 % 2, 5 / 2, 1 # 2, 1 | 2, 1 & 3, 1 << 2
SELECT NOT g, NOT a = 1 FROM t
SELECT NOT a FROM t
SELECT a AND g FROM t
SELECT g OR b FROM t
SELECT g AND 'x' FROM t
SELECT 1 WHERE 1
SELECT 1 WHERE 'x'
SELECT 1 WHERE NULL
SELECT a FROM t WHERE b
SELECT a IS NULL, a IS NOT NULL, g IS TRUE, g IS NOT UNKNOWN FROM t
SELECT a IS TRUE FROM t
SELECT a IS DISTINCT FROM 1, a IS NOT DISTINCT FROM b FROM t
SELECT a BETWEEN 1 AND 2, b NOT BETWEEN 'a' AND 'b' FROM t
SELECT a BETWEEN 1 AND 'x' FROM t
SELECT a IN (1, 2), b IN ('a', 'b'), a IN (1, 2.5), a NOT IN (1) FROM t
SELECT a IN (1, 'x') FROM t
SELECT a IN (b) FROM t
SELECT a IN (b, 1) FROM t
SELECT b LIKE 'x%', b NOT LIKE 'y', b ILIKE 'z', b LIKE 'a\%' ESCAPE '\' FROM t
SELECT a LIKE 'x' FROM t
SELECT b ~ 'x', b !~* 'y' FROM t
SELECT CASE WHEN g THEN 1 ELSE 2.5 END, CASE a WHEN 1 THEN 'x' END FROM t
SELECT CASE WHEN g THEN 1 ELSE b END FROM t
SELECT CASE WHEN a THEN 1 END FROM t
SELECT CASE a WHEN 'x' THEN 1 END FROM t
SELECT CASE WHEN g THEN 'a' ELSE 'b' END, CASE WHEN g THEN c ELSE 'b' END, CASE WHEN g THEN NULL END FROM t
SELECT CASE WHEN g THEN a ELSE id END FROM t
SELECT coalesce(a, 1), coalesce(b, 'x'), coalesce(NULL, NULL), coalesce(a, 2.5) FROM t
SELECT coalesce(a, b) FROM t
SELECT coalesce(1, 'x')
SELECT nullif(a, 1), nullif('a', 'b'), nullif(c, 'x') FROM t
SELECT nullif(a, b) FROM t
SELECT greatest(a, i), least(1, 2.5), greatest(c, 'x') FROM t
SELECT greatest(a, b) FROM t
SELECT a::text, a::varchar(3), b::int4, 'x'::text, '12'::int8, a::numeric(5,1) FROM t
SELECT CAST(a AS int8), CAST('1' AS smallint), CAST(NULL AS date) FROM t
SELECT CAST(a AS date) FROM t
SELECT a::date FROM t
SELECT g::timestamptz FROM t
SELECT 'x'::int4
SELECT CAST('x' AS int4)
SELECT 'x'::nosuchtype
SELECT a::nosuch.thing FROM t
SELECT date '2020-01-01', timestamp '2020-01-01 00:00', interval '1 day', interval '1' day, interval '1-2' year to month
SELECT time '10:00', timestamptz '2020-01-01 00:00+00', timestamp with time zone '2020-01-01', int4 '5', bool 't'
SELECT date 'x'
SELECT interval(3) '1.23456 s', interval '5' second, timestamp(2) '2020-01-01', interval '1 day' day to hour
SELECT e AT TIME ZONE 'UTC', k AT TIME ZONE 'UTC', extract(year FROM f), date_part('year', k) FROM t
SELECT substring(b FROM 1 FOR 2), substring(b, 2), position('a' IN b), trim(b), trim(both 'x' FROM b), trim(leading from b), overlay(b PLACING 'x' FROM 1) FROM t
SELECT ceil(h), floor(d), ceiling(1.5), round(1.5), abs(-1), abs(a) FROM t
SELECT current_date, current_timestamp, localtimestamp, localtime, current_user, session_user, current_catalog, current_schema
SELECT current_timestamp(3), now(), user
SELECT lower(b), upper('x'), length(c), concat(a, b, 1), md5('x') FROM t
SELECT lower(a) FROM t
SELECT nosuch(1)
SELECT nosuch()
SELECT pg_catalog.lower('X'), nosuch.lower('x')
SELECT public.lower('x')
SELECT lower()
SELECT lower('a', 'b')
SELECT lower(DISTINCT b) FROM t
SELECT lower(*) FROM t
SELECT lower(b) FILTER (WHERE g) FROM t
SELECT count(*), count(a), sum(a), sum(i), avg(a), min(b), max(f), sum(d), sum(h) FROM t
SELECT count(DISTINCT a), sum(a) FILTER (WHERE g) FROM t
SELECT count() FROM t
SELECT sum(*) FROM t
SELECT sum(b) FROM t
SELECT sum('1')
SELECT sum(sum(a)) FROM t
SELECT a, count(*) FROM t
SELECT count(*), b FROM t GROUP BY a
SELECT a, count(*) FROM t GROUP BY a
SELECT t.a FROM t GROUP BY a
SELECT * FROM t GROUP BY id
SELECT b, count(*) FROM t GROUP BY id
SELECT t.b, u.name FROM t JOIN u ON u.t_id = t.id GROUP BY t.id
SELECT a + 1 FROM t GROUP BY a
SELECT a + 1 FROM t GROUP BY a + 1
SELECT a + 2 FROM t GROUP BY a + 1
SELECT a AS k, count(*) FROM t GROUP BY k
SELECT a AS q, count(*) FROM t GROUP BY q
SELECT a, b FROM t GROUP BY 1, 2
SELECT a FROM t GROUP BY 3
SELECT count(*) FROM t GROUP BY 1
SELECT a FROM t GROUP BY 'x'
SELECT a FROM t WHERE count(*) > 1
SELECT a FROM t GROUP BY count(*)
SELECT a FROM t HAVING count(*) > 1
SELECT count(*) FROM t HAVING count(*) > 1
SELECT a FROM t GROUP BY a HAVING b = 'x'
SELECT a FROM t GROUP BY a HAVING a
SELECT a FROM t GROUP BY a ORDER BY count(*)
SELECT a FROM t GROUP BY a ORDER BY b
SELECT 1 FROM t JOIN u ON count(*) = 1
SELECT a FROM t ORDER BY a, b DESC NULLS LAST, 1, a + 1
SELECT a AS b FROM t ORDER BY b
SELECT a AS x, b AS x FROM t ORDER BY x
SELECT a AS x, a AS x FROM t ORDER BY x
SELECT a FROM t ORDER BY 2
SELECT a FROM t ORDER BY 0
SELECT a FROM t ORDER BY 'x'
SELECT a FROM t ORDER BY 1.5
SELECT a FROM t ORDER BY nope
SELECT DISTINCT a FROM t ORDER BY a
SELECT DISTINCT a FROM t ORDER BY b
SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b
SELECT DISTINCT ON (a) a, b FROM t ORDER BY b
SELECT DISTINCT ON (1) a, b FROM t
SELECT DISTINCT ON (a, b) a FROM t ORDER BY b, a, c
SELECT a FROM t LIMIT 1 OFFSET 2
SELECT a FROM t LIMIT ALL
SELECT a FROM t LIMIT NULL
SELECT a FROM t LIMIT a
SELECT a FROM t LIMIT 'x'
SELECT a FROM t LIMIT '1'
SELECT a FROM t LIMIT true
SELECT a FROM t LIMIT $1 OFFSET $2
SELECT a FROM t FETCH FIRST 2 ROWS ONLY
SELECT a FROM t OFFSET 2 ROWS FETCH NEXT ROW ONLY
SELECT a FROM t LIMIT 1, 2
VALUES (1, 'a'), (2, NULL)
VALUES (1), (2.5)
VALUES (1), ('x')
VALUES (1), (b)
VALUES (1, 2), (3)
VALUES (1), (true)
VALUES (1) ORDER BY column1 LIMIT 1
VALUES (DEFAULT)
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS q (x, y)
SELECT * FROM (VALUES (1, 'a')) AS q (x, y, z)
SELECT * FROM (VALUES (1))
SELECT * FROM (SELECT 1)
SELECT q.x FROM (SELECT a AS x FROM t) q WHERE q.x > 1
SELECT q.nope FROM (SELECT a AS x FROM t) q
SELECT 1 UNION SELECT 2.5
SELECT 1 UNION SELECT 'x'
SELECT 1 UNION SELECT '5'
SELECT 'a' UNION SELECT 'b'
SELECT NULL UNION SELECT 1
SELECT 1, 2 UNION SELECT 3
SELECT a FROM t UNION ALL SELECT b FROM t
SELECT a FROM t UNION ALL SELECT i FROM t ORDER BY a
SELECT a FROM t UNION SELECT id FROM u ORDER BY a + 1
SELECT a FROM t UNION SELECT id FROM u ORDER BY b
SELECT a FROM t INTERSECT SELECT id FROM u EXCEPT SELECT 1 ORDER BY 1 LIMIT 3
(SELECT a FROM t ORDER BY b LIMIT 1) UNION (SELECT 2)
(SELECT a FROM t) ORDER BY b
SELECT c FROM t UNION SELECT c FROM t
SELECT c FROM t UNION SELECT b FROM t
SELECT * FROM t JOIN u USING (id)
SELECT id, t.id, u.id FROM t JOIN u USING (id)
SELECT * FROM t JOIN u USING (id, a)
SELECT * FROM t LEFT JOIN u USING (id)
SELECT id FROM t FULL JOIN u USING (id)
SELECT * FROM t NATURAL JOIN u
SELECT * FROM t JOIN u USING (nope)
SELECT * FROM t JOIN u USING (name)
SELECT * FROM t JOIN u USING (t_id)
SELECT a FROM t JOIN u ON t.id = u.t_id
SELECT t.a FROM t JOIN u ON t.id = u.t_id AND u.name
SELECT t.a FROM t JOIN u ON t.id = u.t_id JOIN w ON w.id = u.id
SELECT t.a FROM t, u JOIN w ON w.id = t.id
SELECT t.a FROM t CROSS JOIN u
SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.t_id = t.id)
SELECT (SELECT name FROM u WHERE u.t_id = t.id) FROM t
SELECT (SELECT max(name) FROM u), EXISTS (SELECT 1), (SELECT 1 AS one)
SELECT (SELECT id, name FROM u)
SELECT a IN (SELECT id FROM u), a = ANY (SELECT id FROM u), a < ALL (SELECT i FROM t) FROM t
SELECT a IN (SELECT id, name FROM u) FROM t
SELECT a IN (SELECT name FROM u) FROM t
SELECT b IN (SELECT 'x') FROM t
SELECT a IN (SELECT 'x') FROM t
SELECT a FROM t WHERE a = (SELECT max(a) FROM u)
SELECT (SELECT sum(t.a)) FROM t
SELECT (SELECT sum(t.a + u.a) FROM u) FROM t
SELECT (SELECT t.a FROM u LIMIT 1), count(*) FROM t
SELECT (SELECT t.a FROM u LIMIT 1), count(*) FROM t GROUP BY a
SELECT a FROM t WHERE a IN (SELECT count(*) FROM u WHERE u.a = t.a)
SELECT 1 FROM u WHERE id = (SELECT sum(u.a))
WITH q AS (SELECT a FROM t) SELECT * FROM q
WITH q (x) AS (SELECT a FROM t) SELECT x FROM q, q r WHERE r.x = 1
WITH q AS (SELECT 1), q AS (SELECT 2) SELECT 1
WITH q (x, y) AS (SELECT 1) SELECT 1
WITH q AS (SELECT nope) SELECT 1
WITH q AS (SELECT 'x' AS y) SELECT y FROM q
WITH q AS (SELECT a FROM t), r AS (SELECT a + 1 AS b FROM q) SELECT b FROM r
SELECT * FROM generate_series(1, 3)
SELECT g FROM generate_series(1, 3) g
SELECT g.g, x FROM generate_series(1, 3) g, generate_series(1, 2) AS y (x)
SELECT * FROM generate_series(1, 3) WITH ORDINALITY
SELECT generate_series(1, 3)
SELECT 1 WHERE generate_series(1, 2) = 1
SELECT * FROM nosuch(1)
SELECT (1, 2) = (1, 2), (a, b) < (1, 'x'), (a, b) <> (1, 'y') FROM t
SELECT (1, 2) = (1, 2, 3)
SELECT (a, b) IN ((1, 'x'), (2, 'y')) FROM t
SELECT ROW(a, b) = ROW(1, 'x') FROM t
SELECT (a, b) = ('x', 1) FROM t
SELECT $1
SELECT $1 + 1
SELECT $1::int4
SELECT $1 || 'x'
SELECT $2::text
SELECT a FROM t WHERE a = $1
SELECT a FROM t WHERE $1 = a AND b = $2 AND d > $3 AND e < $4 AND f = $5 AND g = $6
SELECT a FROM t WHERE a = $1 AND b = $1
SELECT a FROM t WHERE a = $1 AND i = $1
SELECT a FROM t WHERE a IN ($1, $2)
SELECT a FROM t WHERE b LIKE $1
SELECT a FROM t WHERE a BETWEEN $1 AND $2
SELECT $1 IS NULL
SELECT $1 = $2
SELECT coalesce($1, 1), coalesce($2, 'x'), greatest($3, 2.5)
SELECT CASE WHEN $1 THEN $2 ELSE 1 END
SELECT a FROM t WHERE f > $1 + 1
SELECT a FROM t WHERE e > now() - $1
SELECT a FROM t WHERE e > now() - $1::interval
SELECT lower($1), length($2), abs($3)
SELECT round($1, 2)
SELECT $1 FROM t UNION SELECT a FROM t
SELECT count($1)
SELECT concat($1, 'x')
SELECT $0
INSERT INTO t (id, a) VALUES (1, 2)
INSERT INTO t (id, a) VALUES ($1, $2)
INSERT INTO t VALUES (1, 2, 'x', 'y', 1.5, now(), current_date, true, 1, 2, 'z')
INSERT INTO t (id, nope) VALUES (1, 2)
INSERT INTO t (id, id) VALUES (1, 2)
INSERT INTO t (id, a) VALUES (1)
INSERT INTO t (id, a) VALUES (1, 2, 3)
INSERT INTO t (id, a) VALUES (1, 'x')
INSERT INTO t (id, a) VALUES (1, '2')
INSERT INTO t (id, a, b) VALUES (1, true, 2)
INSERT INTO t (id, a, b) VALUES (1, 2, 3)
INSERT INTO t (id, a) VALUES (1, 2.7)
INSERT INTO t (id, f) VALUES (1, 5)
INSERT INTO t (id, a) VALUES (1, 2), (3, 4.5), (5, DEFAULT)
INSERT INTO t (id, a) VALUES (1, 2), (3)
INSERT INTO t (id, a, c) VALUES ($1, $2, $3) RETURNING id, a + 1 AS n, *
INSERT INTO t (id, a) SELECT id, a FROM u
INSERT INTO t (id, a) SELECT id, name FROM u
INSERT INTO t (id, a) SELECT id FROM u
INSERT INTO t (id, a) SELECT id, a, name FROM u
INSERT INTO t (id, a, f) SELECT 1, '2', '2020-01-01'
INSERT INTO t (id, a, f) SELECT $1, $2, $3
INSERT INTO t (id, b) SELECT id, name FROM u ORDER BY name LIMIT 1
INSERT INTO t DEFAULT VALUES
INSERT INTO nosuch VALUES (1)
INSERT INTO s VALUES (1)
INSERT INTO t (id, a) VALUES (count(*), 1)
INSERT INTO t (id, a) VALUES (id, 1)
INSERT INTO t (id, a) VALUES ((SELECT 1), 1)
INSERT INTO t (id, a) VALUES (1, 1) RETURNING nope
INSERT INTO t (id, a) VALUES (1, 1) RETURNING count(*)
INSERT INTO w (x) VALUES (1)
INSERT INTO w VALUES (1, 2)
INSERT INTO w (id) VALUES (1)
INSERT INTO w (id) VALUES (DEFAULT)
INSERT INTO w (id, x) VALUES (DEFAULT, 1), (2, 3)
INSERT INTO w (id) OVERRIDING SYSTEM VALUE VALUES (1)
INSERT INTO w (id, x) OVERRIDING USER VALUE VALUES (1, 2)
INSERT INTO w (id, x) SELECT 1, 2
INSERT INTO w (id, x) OVERRIDING SYSTEM VALUE SELECT 1, 2
INSERT INTO v (id, z) VALUES (1, 'x') RETURNING *
INSERT INTO v (z) VALUES ('x') ON CONFLICT DO NOTHING
INSERT INTO v (z) VALUES ('x') ON CONFLICT (z) DO NOTHING
INSERT INTO v (z) VALUES ('x') ON CONFLICT (z) DO UPDATE SET z = EXCLUDED.z || v.z WHERE v.id > 1 RETURNING id
INSERT INTO v (z) VALUES ('x') ON CONFLICT (z) DO UPDATE SET z = z
INSERT INTO v AS q (z) VALUES ('x') ON CONFLICT (z) DO UPDATE SET z = q.z
INSERT INTO v AS q (z) VALUES ('x') ON CONFLICT (z) DO UPDATE SET z = v.z
INSERT INTO v (z) VALUES ('x') ON CONFLICT (nope) DO NOTHING
INSERT INTO v (z) VALUES ('x') ON CONFLICT (id, z) DO NOTHING
INSERT INTO v (z) VALUES ('x') ON CONFLICT DO UPDATE SET z = 'y'
INSERT INTO v (z) VALUES ('x') ON CONFLICT ON CONSTRAINT v_z_key DO NOTHING
INSERT INTO v (z) VALUES ('x') ON CONFLICT ON CONSTRAINT nosuch DO NOTHING
INSERT INTO w (x, y) VALUES (1, 'a') ON CONFLICT (y, x) DO UPDATE SET x = EXCLUDED.x
INSERT INTO v (z) VALUES ('x') ON CONFLICT (z) DO UPDATE SET nope = 1
INSERT INTO v (z) VALUES ('x') ON CONFLICT (z) DO UPDATE SET z = count(*)
UPDATE t SET a = 1
UPDATE t SET a = a + 1, b = 'x' WHERE id = 1
UPDATE t SET a = $1 WHERE id = $2 RETURNING *
UPDATE t SET nope = 1
UPDATE t SET a = 'x'
UPDATE t SET a = b
UPDATE t SET a = 1, a = 2
UPDATE t SET (a, b) = (1, 'x')
UPDATE t SET (a, b) = (1, 2, 3)
UPDATE t SET (a, b) = ROW(1, 'x')
UPDATE t SET (a, b) = (SELECT a, name FROM u WHERE u.id = t.id)
UPDATE t SET a = DEFAULT, (b, c) = (DEFAULT, 'x')
UPDATE t SET a = count(*)
UPDATE t SET a = 1 WHERE count(*) = 1
UPDATE t SET a = 1 WHERE b
UPDATE t x SET a = x.a + 1 WHERE x.id = 1
UPDATE t x SET a = t.a + 1
UPDATE t SET t.a = 1
UPDATE w SET id = 1
UPDATE w SET id = DEFAULT
UPDATE t SET c = 5, d = 'x'
UPDATE t SET c = 5, d = '1.234', n = 70000
UPDATE nosuch SET a = 1
UPDATE t SET a = (SELECT max(id) FROM u)
DELETE FROM t
DELETE FROM t WHERE a = 1 RETURNING id
DELETE FROM t AS x WHERE x.a = $1
DELETE FROM t AS x WHERE t.a = 1
DELETE FROM t WHERE b
DELETE FROM nosuch
DELETE FROM t WHERE count(*) = 1
DELETE FROM t WHERE id IN (SELECT t_id FROM u)
SELEC 1
SELECT 1 FROM
SELECT FROM WHERE
SELECT 1 +
SELECT (1
SELECT 1)
SELECT 'abc
SELECT "abc
SELECT /* abc
SELECT $$abc
SELECT 1 FROM t WHERE
SELECT a b c FROM t
SELECT a FROM t WHERE a = = 1
INSERT INTO t (a VALUES (1)
INSERT t VALUES (1)
UPDATE t SET
DELETE t
SELECT 123abc
SELECT 1_000
SELECT a FROM t GROUP BY
SELECT a FROM t ORDER a
SELECT ä FROM t
SELECT 'ä', nope FROM t
SELECT  nope , 1
SELECT 'a' 'b'
SELECT 'x' COLLATE "C", b COLLATE "nosuch" FROM t
SELECT a COLLATE "C" FROM t
SELECT b COLLATE "C" FROM t
SELECT int4(b), text(a), float8(1), date(k) FROM t
SELECT b = c, c = j, j = 'x', c LIKE j FROM t
SELECT f - f, f + 1, k - k, e + l, l * 2, l / 2, f + l, '2020-01-01' - f FROM t
SELECT m = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', o = '\x00' FROM t
SELECT 'x'::regclass
SELECT 't'::regclass, 't'::regclass::oid, 1::oid
SELECT pg_typeof(a), pg_typeof('x') FROM t
SELECT to_char(k, 'YYYY'), to_date('x', 'y'), nextval('s'), random() FROM t
SELECT string_agg(b, ','), bool_and(g), stddev(a) FROM t
SELECT 1 AS "A b", 2 AS "x"
SELECT a.b.c FROM t a
SELECT a FROM t WHERE a > 1 = g
SELECT EXISTS (SELECT 1 FROM t), NOT EXISTS (SELECT 1)
SELECT date_trunc('day', e), age(k), make_date(1, 2, 3) FROM t
SELECT a FROM t WHERE (a, b) IS NULL
SELECT min(x) FROM (SELECT a AS x FROM t) q
SELECT 1 FROM t AS x (p, q) WHERE p = q
SELECT cast(h AS int4), i::int4, d::float8, n::numeric FROM t
SELECT '1'::numeric(3,1), 1.25::numeric(3,1), 'abc'::varchar(2), 'abc'::char(2), 'x'::bpchar
SELECT 'x'::varchar(0)
SELECT 1::numeric(0)
SELECT 1::int4(5)
SELECT true::int4, 1::bool, 'x'::bytea
