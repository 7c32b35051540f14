// What JDBC's DatabaseMetaData and ResultSetMetaData tell of the objects of schema.sql: `java Metadata.java HOST PORT USER
// DATABASE [PASSWORD]` prints every answer, a line for each row, so that two servers can be compared.

import java.math.BigDecimal;
import java.sql.Array;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Properties;

public class Metadata {
    interface Question {
        ResultSet ask() throws SQLException;
    }

    interface Choice {
        boolean takes(ResultSet row) throws SQLException;
    }

    /** Prints the rows of an answer, or the error; `ordered` where the driver promises an order. */
    static void answer(String title, boolean ordered, Question question) {
        answer(title, ordered, question, row -> true);
    }

    static void answer(String title, boolean ordered, Question question, Choice choice) {
        System.out.println("== " + title);
        try (ResultSet rows = question.ask()) {
            ResultSetMetaData columns = rows.getMetaData();
            StringBuilder head = new StringBuilder();
            for (int at = 1; at <= columns.getColumnCount(); at++) {
                head.append(at > 1 ? "|" : "").append(columns.getColumnLabel(at)).append(' ').append(columns.getColumnTypeName(at));
            }
            System.out.println(head);
            List<String> lines = new ArrayList<>();
            while (rows.next()) {
                if (!choice.takes(rows)) {
                    continue;
                }
                StringBuilder line = new StringBuilder();
                for (int at = 1; at <= columns.getColumnCount(); at++) {
                    line.append(at > 1 ? "|" : "").append(rows.getString(at));
                }
                lines.add(line.toString().replaceAll("<[0-9]+>", "<number>"));
            }
            if (!ordered) {
                Collections.sort(lines);
            }
            lines.forEach(System.out::println);
        } catch (SQLException error) {
            System.out.println(error.getSQLState() + " " + error.getMessage());
        }
    }

    static void ask(String title, Question question) {
        answer(title, false, question);
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        System.out.println(data.getDatabaseProductName() + " " + data.getDatabaseMajorVersion());
        System.out.println(data.getMaxColumnNameLength() + " " + data.getMaxIndexLength() + " " + data.getUserName());
        System.out.println(data.getSQLKeywords());
        System.out.println(connection.getCatalog() + " " + connection.getSchema() + " " + connection.getTransactionIsolation());
        ask("catalogs", data::getCatalogs);
        ask("schemas", data::getSchemas);
        ask("schemas like s%", () -> data.getSchemas(null, "s%"));
        ask("table types", data::getTableTypes);
        String[] kinds = {"TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "INDEX", "TYPE", "PARTITIONED TABLE", "FOREIGN TABLE"};
        for (String schema : new String[] {"public", "shop", "Odd Schema"}) {
            ask("tables of " + schema, () -> data.getTables(null, schema, "%", kinds));
            ask("columns of " + schema, () -> data.getColumns(null, schema, "%", "%"));
            ask("privileges on tables of " + schema, () -> data.getTablePrivileges(null, schema, "%"));
            ask("user's types of " + schema, () -> data.getUDTs(null, schema, "%", new int[] {Types.DISTINCT}));
        }
        ask("tables of every kind", () -> data.getTables(null, "shop", null, null));
        ask("system tables", () -> data.getTables("postgres", "pg_catalog", "pg_cl%", new String[] {"SYSTEM TABLE"}));
        ask("system columns", () -> data.getColumns(null, "pg_catalog", "pg_class", "rel%"));
        ask("columns like", () -> data.getColumns(null, null, "orders", "%r%"));
        String[][] tables = {{"shop", "customer"}, {"public", "orders"}, {"public", "Odd Name"}, {"public", "dropped_columns"}, {"public", "nosuch"}};
        for (String[] table : tables) {
            ask("primary key of " + table[1], () -> data.getPrimaryKeys(null, table[0], table[1]));
            answer("indexes of " + table[1], true, () -> data.getIndexInfo(null, table[0], table[1], false, true));
            answer("unique indexes of " + table[1], true, () -> data.getIndexInfo(null, table[0], table[1], true, false));
            ask("best row of " + table[1], () -> data.getBestRowIdentifier(null, table[0], table[1], DatabaseMetaData.bestRowSession, true));
            ask("version columns of " + table[1], () -> data.getVersionColumns(null, table[0], table[1]));
            ask("imported keys of " + table[1], () -> data.getImportedKeys(null, table[0], table[1]));
            ask("exported keys of " + table[1], () -> data.getExportedKeys(null, table[0], table[1]));
            ask("privileges on columns of " + table[1], () -> data.getColumnPrivileges(null, table[0], table[1], "%"));
        }
        ask("cross reference", () -> data.getCrossReference(null, "public", "orders", null, "shop", "customer"));
        // The types that both servers have: built-in ones by name, and users' own.
        List<String> known = List.of("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar", "name", "bytea",
            "uuid", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "bit", "varbit", "json", "jsonb", "jsonpath", "oid", "regclass",
            "regtype", "_int4", "_text", "_numeric", "_timestamptz", "mood", "colour", "positive", "email", "short_code", "_mood", "_colour");
        answer("types", false, data::getTypeInfo, row -> known.contains(row.getString("TYPE_NAME")));
        ask("functions", () -> data.getFunctions(null, "pg_catalog", "nosuch%"));
        ask("columns of functions", () -> data.getFunctionColumns(null, "pg_catalog", "split_part", "%"));
        ask("procedures", () -> data.getProcedures(null, "public", "%"));
        ask("columns of procedures", () -> data.getProcedureColumns(null, "public", "%", "%"));
        ask("properties of clients", data::getClientInfoProperties);
        System.out.println(data.getNumericFunctions() + data.getStringFunctions() + data.getSystemFunctions());
    }

    static void results(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String query : new String[] {"SELECT * FROM shop.customer ORDER BY id", "SELECT * FROM every_type ORDER BY a_int2",
                    "SELECT o.id AS number, c.name, o.price * 2 AS doubled FROM orders o JOIN shop.customer c ON c.id = o.customer ORDER BY 1"}) {
                System.out.println("== " + query);
                ResultSet rows = statement.executeQuery(query);
                ResultSetMetaData columns = rows.getMetaData();
                for (int at = 1; at <= columns.getColumnCount(); at++) {
                    System.out.println(columns.getColumnName(at) + " " + columns.getColumnLabel(at) + " " + columns.getTableName(at) + " "
                        + columns.getSchemaName(at) + " " + columns.getColumnTypeName(at) + " " + columns.getColumnType(at) + " "
                        + columns.isNullable(at) + " " + columns.isAutoIncrement(at) + " " + columns.getPrecision(at) + " "
                        + columns.getScale(at) + " " + columns.getColumnDisplaySize(at) + " " + columns.getColumnClassName(at));
                }
                while (rows.next()) {
                    StringBuilder line = new StringBuilder();
                    for (int at = 1; at <= columns.getColumnCount(); at++) {
                        line.append(rows.getString(at)).append('|');
                    }
                    System.out.println(line);
                }
            }
        }
    }

    static void statements(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TEMPORARY TABLE t (id serial PRIMARY KEY, v text, n numeric(8, 2), tags text[], at timestamp)");
        }
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t (v, n, tags) VALUES (?, ?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            ParameterMetaData parameters = insert.getParameterMetaData();
            for (int at = 1; at <= parameters.getParameterCount(); at++) {
                System.out.println(parameters.getParameterTypeName(at) + " " + parameters.getParameterClassName(at));
            }
            for (int row = 0; row < 20; row++) {
                insert.setString(1, "row " + row);
                insert.setBigDecimal(2, new BigDecimal(row + ".25"));
                insert.setArray(3, connection.createArrayOf("text", new String[] {"a", null, "c d"}));
                insert.addBatch();
            }
            System.out.println(insert.executeBatch().length);
            ResultSet keys = insert.getGeneratedKeys();
            int sum = 0;
            while (keys.next()) {
                sum += keys.getInt("id");
            }
            System.out.println(sum);
        }
        connection.setAutoCommit(false);
        try (PreparedStatement select = connection.prepareStatement("SELECT id, v, n, tags FROM t WHERE id > ? ORDER BY id")) {
            select.setFetchSize(3);
            // Beyond five executions the driver names its statement and reads binary values.
            for (int round = 0; round < 8; round++) {
                select.setInt(1, round * 2);
                int count = 0;
                ResultSet rows = select.executeQuery();
                while (rows.next()) {
                    Array tags = rows.getArray(4);
                    count += rows.getInt(1) + ((String[]) tags.getArray()).length + rows.getBigDecimal(3).intValue();
                }
                System.out.println(round + " " + count);
            }
        }
        Savepoint savepoint = connection.setSavepoint("here");
        try (Statement statement = connection.createStatement()) {
            statement.execute("INSERT INTO t (id) VALUES (1)");
        } catch (SQLException error) {
            System.out.println(error.getSQLState() + " " + error.getMessage());
        }
        connection.rollback(savepoint);
        try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet rows = statement.executeQuery("SELECT id, v FROM t ORDER BY id");
            rows.absolute(3);
            rows.updateString(2, "changed");
            rows.updateRow();
            rows.last();
            System.out.println(rows.getRow());
            rows.deleteRow();
            rows.moveToInsertRow();
            rows.updateInt(1, 100);
            rows.updateString(2, "inserted");
            rows.insertRow();
            ResultSet after = connection.createStatement().executeQuery("SELECT count(*), string_agg(v, ',' ORDER BY id) FROM t");
            after.next();
            System.out.println(after.getString(1) + " " + after.getString(2));
        }
        try (CallableStatement call = connection.prepareCall("{? = call upper(?)}")) {
            call.registerOutParameter(1, Types.VARCHAR);
            call.setString(2, "called");
            call.execute();
            System.out.println(call.getString(1));
        }
        try (PreparedStatement escapes = connection.prepareStatement("SELECT {fn concat('a', 'b')}, {d '2024-02-29'}, {fn length('abc')}, {ts '2024-02-29 12:00:00'}")) {
            ResultSet row = escapes.executeQuery();
            row.next();
            System.out.println(row.getString(1) + " " + row.getDate(2) + " " + row.getInt(3) + " " + row.getTimestamp(4));
        }
        connection.commit();
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        connection.setReadOnly(true);
        try (Statement statement = connection.createStatement()) {
            ResultSet row = statement.executeQuery("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')");
            row.next();
            System.out.println(row.getString(1) + " " + row.getString(2));
        }
        connection.rollback();
        System.out.println(connection.isValid(5));
    }

    public static void main(String[] arguments) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", arguments[2]);
        if (arguments.length > 4) {
            properties.setProperty("password", arguments[4]);
        }
        String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/" + arguments[3];
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            metadata(connection);
            results(connection);
            statements(connection);
        }
    }
}
