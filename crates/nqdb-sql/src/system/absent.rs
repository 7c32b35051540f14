//! Relations of what does not exist here, each with PostgreSQL's columns and never a row: inheritance, partitions, rules,
//! triggers, foreign data, policies, publications, subscriptions, large objects, text search, security labels, two-phase
//! commit, replication, and the files of a PostgreSQL server.

use super::relation::{SystemRelation, relation};

pub(super) static RELATIONS: &[&SystemRelation] = &[
    &PG_STATISTIC,
    &PG_INHERITS,
    &PG_PARTITIONED_TABLE,
    &PG_EVENT_TRIGGER,
    &PG_FOREIGN_DATA_WRAPPER,
    &PG_FOREIGN_SERVER,
    &PG_FOREIGN_TABLE,
    &PG_USER_MAPPING,
    &PG_POLICY,
    &PG_PUBLICATION,
    &PG_PUBLICATION_NAMESPACE,
    &PG_PUBLICATION_REL,
    &PG_SUBSCRIPTION,
    &PG_SUBSCRIPTION_REL,
    &PG_STATISTIC_EXT,
    &PG_STATISTIC_EXT_DATA,
    &PG_LARGEOBJECT,
    &PG_LARGEOBJECT_METADATA,
    &PG_SECLABEL,
    &PG_SHSECLABEL,
    &PG_PARAMETER_ACL,
    &PG_TRANSFORM,
    &PG_TS_CONFIG,
    &PG_TS_CONFIG_MAP,
    &PG_TS_DICT,
    &PG_TS_PARSER,
    &PG_TS_TEMPLATE,
    &PG_REPLICATION_ORIGIN,
    &PG_RANGE,
    &PG_AVAILABLE_EXTENSION_VERSIONS,
    &PG_AVAILABLE_EXTENSIONS,
    &PG_PUBLICATION_TABLES,
    &PG_SECLABELS,
    &PG_POLICIES,
    &PG_FILE_SETTINGS,
    &PG_HBA_FILE_RULES,
    &PG_IDENT_FILE_MAPPINGS,
    &PG_REPLICATION_ORIGIN_STATUS,
    &PG_REPLICATION_SLOTS,
    &PG_STAT_REPLICATION,
    &PG_STAT_REPLICATION_SLOTS,
    &PG_STAT_SUBSCRIPTION,
    &PG_STAT_SUBSCRIPTION_STATS,
    &PG_STAT_WAL_RECEIVER,
    &PG_STAT_RECOVERY_PREFETCH,
    &PG_STAT_PROGRESS_ANALYZE,
    &PG_STAT_PROGRESS_BASEBACKUP,
    &PG_STAT_PROGRESS_CLUSTER,
    &PG_STAT_PROGRESS_COPY,
    &PG_STAT_PROGRESS_CREATE_INDEX,
    &PG_STAT_PROGRESS_VACUUM,
    &PG_STATS_EXT,
    &PG_STATS_EXT_EXPRS,
    &PG_USER_MAPPINGS,
    &PG_STAT_USER_FUNCTIONS,
    &PG_STAT_XACT_USER_FUNCTIONS,
    &PG_MATVIEWS,
    &PG_RULES,
];

relation! {
    PG_INHERITS = "pg_inherits" 2611, row_type 10005, Table, empty;
    {
        inhrelid: OID not_null, inhparent: OID not_null, inhseqno: INT4 not_null, inhdetachpending: BOOL not_null,
    }
}

relation! {
    PG_PARTITIONED_TABLE = "pg_partitioned_table" 3350, row_type 10099, Table, empty;
    {
        partrelid: OID not_null, partstrat: CHAR_INTERNAL not_null, partnatts: INT2 not_null,
        partdefid: OID not_null, partattrs: INT2VECTOR not_null, partclass: OIDVECTOR not_null,
        partcollation: OIDVECTOR not_null, partexprs: PG_NODE_TREE nullable,
    }
}

relation! {
    PG_EVENT_TRIGGER = "pg_event_trigger" 3466, row_type 10039, Table, empty;
    {
        oid: OID not_null, evtname: NAME not_null, evtevent: NAME not_null, evtowner: OID not_null,
        evtfoid: OID not_null, evtenabled: CHAR_INTERNAL not_null, evttags: TEXT_ARRAY nullable,
    }
}

relation! {
    PG_FOREIGN_DATA_WRAPPER = "pg_foreign_data_wrapper" 2328, row_type 10076, Table, empty;
    {
        oid: OID not_null, fdwname: NAME not_null, fdwowner: OID not_null, fdwhandler: OID not_null,
        fdwvalidator: OID not_null, fdwacl: ACLITEM_ARRAY nullable, fdwoptions: TEXT_ARRAY nullable,
    }
}

relation! {
    PG_FOREIGN_SERVER = "pg_foreign_server" 1417, row_type 10078, Table, empty;
    {
        oid: OID not_null, srvname: NAME not_null, srvowner: OID not_null, srvfdw: OID not_null,
        srvtype: TEXT nullable, srvversion: TEXT nullable, srvacl: ACLITEM_ARRAY nullable,
        srvoptions: TEXT_ARRAY nullable,
    }
}

relation! {
    PG_FOREIGN_TABLE = "pg_foreign_table" 3118, row_type 10082, Table, empty;
    {
        ftrelid: OID not_null, ftserver: OID not_null, ftoptions: TEXT_ARRAY nullable,
    }
}

relation! {
    PG_USER_MAPPING = "pg_user_mapping" 1418, row_type 10080, PrivateTable, empty;
    {
        oid: OID not_null, umuser: OID not_null, umserver: OID not_null, umoptions: TEXT_ARRAY nullable,
    }
}

relation! {
    PG_POLICY = "pg_policy" 3256, row_type 10084, Table, empty;
    {
        oid: OID not_null, polname: NAME not_null, polrelid: OID not_null, polcmd: CHAR_INTERNAL not_null,
        polpermissive: BOOL not_null, polroles: OID_ARRAY not_null, polqual: PG_NODE_TREE nullable,
        polwithcheck: PG_NODE_TREE nullable,
    }
}

relation! {
    PG_PUBLICATION = "pg_publication" 6104, row_type 10107, Table, empty;
    {
        oid: OID not_null, pubname: NAME not_null, pubowner: OID not_null, puballtables: BOOL not_null,
        pubinsert: BOOL not_null, pubupdate: BOOL not_null, pubdelete: BOOL not_null, pubtruncate: BOOL not_null,
        pubviaroot: BOOL not_null,
    }
}

relation! {
    PG_PUBLICATION_NAMESPACE = "pg_publication_namespace" 6237, row_type 10109, Table, empty;
    {
        oid: OID not_null, pnpubid: OID not_null, pnnspid: OID not_null,
    }
}

relation! {
    PG_PUBLICATION_REL = "pg_publication_rel" 6106, row_type 10111, Table, empty;
    {
        oid: OID not_null, prpubid: OID not_null, prrelid: OID not_null, prqual: PG_NODE_TREE nullable,
        prattrs: INT2VECTOR nullable,
    }
}

relation! {
    PG_SUBSCRIPTION = "pg_subscription" 6100, row_type 6101, PrivateSharedTable, empty;
    {
        oid: OID not_null, subdbid: OID not_null, subskiplsn: PG_LSN not_null, subname: NAME not_null,
        subowner: OID not_null, subenabled: BOOL not_null, subbinary: BOOL not_null, substream: BOOL not_null,
        subtwophasestate: CHAR_INTERNAL not_null, subdisableonerr: BOOL not_null, subconninfo: TEXT not_null,
        subslotname: NAME nullable, subsynccommit: TEXT not_null, subpublications: TEXT_ARRAY not_null,
    }
}

relation! {
    PG_SUBSCRIPTION_REL = "pg_subscription_rel" 6102, row_type 10114, Table, empty;
    {
        srsubid: OID not_null, srrelid: OID not_null, srsubstate: CHAR_INTERNAL not_null, srsublsn: PG_LSN nullable,
    }
}

relation! {
    PG_STATISTIC_EXT = "pg_statistic_ext" 3381, row_type 10031, Table, empty;
    {
        oid: OID not_null, stxrelid: OID not_null, stxname: NAME not_null, stxnamespace: OID not_null,
        stxowner: OID not_null, stxstattarget: INT4 not_null, stxkeys: INT2VECTOR not_null,
        stxkind: CHAR_INTERNAL_ARRAY not_null, stxexprs: PG_NODE_TREE nullable,
    }
}

relation! {
    PG_STATISTIC_EXT_DATA = "pg_statistic_ext_data" 3429, row_type 10033, PrivateTable, empty;
    {
        stxoid: OID not_null, stxdinherit: BOOL not_null, stxdndistinct: PG_NDISTINCT nullable,
        stxddependencies: PG_DEPENDENCIES nullable, stxdmcv: PG_MCV_LIST nullable,
        stxdexpr: PG_STATISTIC_ARRAY nullable,
    }
}

relation! {
    PG_LARGEOBJECT = "pg_largeobject" 2613, row_type 10025, PrivateTable, empty;
    {
        loid: OID not_null, pageno: INT4 not_null, data: BYTEA not_null,
    }
}

relation! {
    PG_LARGEOBJECT_METADATA = "pg_largeobject_metadata" 2995, row_type 10023, Table, empty;
    {
        oid: OID not_null, lomowner: OID not_null, lomacl: ACLITEM_ARRAY nullable,
    }
}

relation! {
    PG_SECLABEL = "pg_seclabel" 3596, row_type 10092, Table, empty;
    {
        objoid: OID not_null, classoid: OID not_null, objsubid: INT4 not_null, provider: TEXT not_null,
        label: TEXT not_null,
    }
}

relation! {
    PG_SHSECLABEL = "pg_shseclabel" 3592, row_type 4066, SharedTable, empty;
    {
        objoid: OID not_null, classoid: OID not_null, provider: TEXT not_null, label: TEXT not_null,
    }
}

relation! {
    PG_PARAMETER_ACL = "pg_parameter_acl" 6243, row_type 10097, SharedTable, empty;
    {
        oid: OID not_null, parname: TEXT not_null, paracl: ACLITEM_ARRAY nullable,
    }
}

relation! {
    PG_TRANSFORM = "pg_transform" 3576, row_type 10103, Table, empty;
    {
        oid: OID not_null, trftype: OID not_null, trflang: OID not_null, trffromsql: REGPROC not_null,
        trftosql: REGPROC not_null,
    }
}

relation! {
    PG_TS_CONFIG = "pg_ts_config" 3602, row_type 10064, Table, empty;
    {
        oid: OID not_null, cfgname: NAME not_null, cfgnamespace: OID not_null, cfgowner: OID not_null,
        cfgparser: OID not_null,
    }
}

relation! {
    PG_TS_CONFIG_MAP = "pg_ts_config_map" 3603, row_type 10066, Table, empty;
    {
        mapcfg: OID not_null, maptokentype: INT4 not_null, mapseqno: INT4 not_null, mapdict: OID not_null,
    }
}

relation! {
    PG_TS_DICT = "pg_ts_dict" 3600, row_type 10068, Table, empty;
    {
        oid: OID not_null, dictname: NAME not_null, dictnamespace: OID not_null, dictowner: OID not_null,
        dicttemplate: OID not_null, dictinitoption: TEXT nullable,
    }
}

relation! {
    PG_TS_PARSER = "pg_ts_parser" 3601, row_type 10070, Table, empty;
    {
        oid: OID not_null, prsname: NAME not_null, prsnamespace: OID not_null, prsstart: REGPROC not_null,
        prstoken: REGPROC not_null, prsend: REGPROC not_null, prsheadline: REGPROC not_null,
        prslextype: REGPROC not_null,
    }
}

relation! {
    PG_TS_TEMPLATE = "pg_ts_template" 3764, row_type 10072, Table, empty;
    {
        oid: OID not_null, tmplname: NAME not_null, tmplnamespace: OID not_null, tmplinit: REGPROC not_null,
        tmpllexize: REGPROC not_null,
    }
}

relation! {
    PG_REPLICATION_ORIGIN = "pg_replication_origin" 6000, row_type 10086, PrivateSharedTable, empty;
    {
        roident: OID not_null, roname: TEXT not_null,
    }
}

relation! {
    PG_RANGE = "pg_range" 3541, row_type 10101, Table, empty;
    {
        rngtypid: OID not_null, rngsubtype: OID not_null, rngmultitypid: OID not_null, rngcollation: OID not_null,
        rngsubopc: OID not_null, rngcanonical: REGPROC not_null, rngsubdiff: REGPROC not_null,
    }
}

relation! {
    PG_AVAILABLE_EXTENSION_VERSIONS = "pg_available_extension_versions" 12085, row_type 12087, View, empty;
    {
        name: NAME nullable, version: TEXT nullable, installed: BOOL nullable, superuser: BOOL nullable,
        trusted: BOOL nullable, relocatable: BOOL nullable, schema: NAME nullable, requires: NAME_ARRAY nullable,
        comment: TEXT nullable,
    }
}

relation! {
    PG_AVAILABLE_EXTENSIONS = "pg_available_extensions" 12081, row_type 12083, View, empty;
    {
        name: NAME nullable, default_version: TEXT nullable, installed_version: TEXT nullable,
        comment: TEXT nullable,
    }
}

relation! {
    PG_PUBLICATION_TABLES = "pg_publication_tables" 12068, row_type 12070, View, empty;
    {
        pubname: NAME nullable, schemaname: NAME nullable, tablename: NAME nullable, attnames: NAME_ARRAY nullable,
        rowfilter: TEXT nullable,
    }
}

relation! {
    PG_SECLABELS = "pg_seclabels" 12099, row_type 12101, View, empty;
    {
        objoid: OID nullable, classoid: OID nullable, objsubid: INT4 nullable, objtype: TEXT nullable,
        objnamespace: OID nullable, objname: TEXT nullable, provider: TEXT nullable, label: TEXT nullable,
    }
}

relation! {
    PG_POLICIES = "pg_policies" 12018, row_type 12020, View, empty;
    {
        schemaname: NAME nullable, tablename: NAME nullable, policyname: NAME nullable, permissive: TEXT nullable,
        roles: NAME_ARRAY nullable, cmd: TEXT nullable, qual: TEXT nullable, with_check: TEXT nullable,
    }
}

relation! {
    PG_FILE_SETTINGS = "pg_file_settings" 12110, row_type 12112, PrivateView, empty;
    {
        sourcefile: TEXT nullable, sourceline: INT4 nullable, seqno: INT4 nullable, name: TEXT nullable,
        setting: TEXT nullable, applied: BOOL nullable, error: TEXT nullable,
    }
}

relation! {
    PG_HBA_FILE_RULES = "pg_hba_file_rules" 12114, row_type 12116, PrivateView, empty;
    {
        line_number: INT4 nullable, type: TEXT nullable, database: TEXT_ARRAY nullable,
        user_name: TEXT_ARRAY nullable, address: TEXT nullable, netmask: TEXT nullable, auth_method: TEXT nullable,
        options: TEXT_ARRAY nullable, error: TEXT nullable,
    }
}

relation! {
    PG_IDENT_FILE_MAPPINGS = "pg_ident_file_mappings" 12118, row_type 12120, PrivateView, empty;
    {
        line_number: INT4 nullable, map_name: TEXT nullable, sys_name: TEXT nullable, pg_username: TEXT nullable,
        error: TEXT nullable,
    }
}

relation! {
    PG_REPLICATION_ORIGIN_STATUS = "pg_replication_origin_status" 12332, row_type 12334, PrivateView, empty;
    {
        local_id: OID nullable, external_id: TEXT nullable, remote_lsn: PG_LSN nullable, local_lsn: PG_LSN nullable,
    }
}

relation! {
    PG_REPLICATION_SLOTS = "pg_replication_slots" 12257, row_type 12259, View, empty;
    {
        slot_name: NAME nullable, plugin: NAME nullable, slot_type: TEXT nullable, datoid: OID nullable,
        database: NAME nullable, temporary: BOOL nullable, active: BOOL nullable, active_pid: INT4 nullable,
        xmin: XID nullable, catalog_xmin: XID nullable, restart_lsn: PG_LSN nullable,
        confirmed_flush_lsn: PG_LSN nullable, wal_status: TEXT nullable, safe_wal_size: INT8 nullable,
        two_phase: BOOL nullable,
    }
}

relation! {
    PG_STAT_REPLICATION = "pg_stat_replication" 12227, row_type 12229, View, empty;
    {
        pid: INT4 nullable, usesysid: OID nullable, usename: NAME nullable, application_name: TEXT nullable,
        client_addr: INET nullable, client_hostname: TEXT nullable, client_port: INT4 nullable,
        backend_start: TIMESTAMPTZ nullable, backend_xmin: XID nullable, state: TEXT nullable,
        sent_lsn: PG_LSN nullable, write_lsn: PG_LSN nullable, flush_lsn: PG_LSN nullable,
        replay_lsn: PG_LSN nullable, write_lag: INTERVAL nullable, flush_lag: INTERVAL nullable,
        replay_lag: INTERVAL nullable, sync_priority: INT4 nullable, sync_state: TEXT nullable,
        reply_time: TIMESTAMPTZ nullable,
    }
}

relation! {
    PG_STAT_REPLICATION_SLOTS = "pg_stat_replication_slots" 12262, row_type 12264, View, empty;
    {
        slot_name: TEXT nullable, spill_txns: INT8 nullable, spill_count: INT8 nullable, spill_bytes: INT8 nullable,
        stream_txns: INT8 nullable, stream_count: INT8 nullable, stream_bytes: INT8 nullable,
        total_txns: INT8 nullable, total_bytes: INT8 nullable, stats_reset: TIMESTAMPTZ nullable,
    }
}

relation! {
    PG_STAT_SUBSCRIPTION = "pg_stat_subscription" 12244, row_type 12246, View, empty;
    {
        subid: OID nullable, subname: NAME nullable, pid: INT4 nullable, relid: OID nullable,
        received_lsn: PG_LSN nullable, last_msg_send_time: TIMESTAMPTZ nullable,
        last_msg_receipt_time: TIMESTAMPTZ nullable, latest_end_lsn: PG_LSN nullable,
        latest_end_time: TIMESTAMPTZ nullable,
    }
}

relation! {
    PG_STAT_SUBSCRIPTION_STATS = "pg_stat_subscription_stats" 12336, row_type 12338, View, empty;
    {
        subid: OID nullable, subname: NAME nullable, apply_error_count: INT8 nullable,
        sync_error_count: INT8 nullable, stats_reset: TIMESTAMPTZ nullable,
    }
}

relation! {
    PG_STAT_WAL_RECEIVER = "pg_stat_wal_receiver" 12236, row_type 12238, View, empty;
    {
        pid: INT4 nullable, status: TEXT nullable, receive_start_lsn: PG_LSN nullable,
        receive_start_tli: INT4 nullable, written_lsn: PG_LSN nullable, flushed_lsn: PG_LSN nullable,
        received_tli: INT4 nullable, last_msg_send_time: TIMESTAMPTZ nullable,
        last_msg_receipt_time: TIMESTAMPTZ nullable, latest_end_lsn: PG_LSN nullable,
        latest_end_time: TIMESTAMPTZ nullable, slot_name: TEXT nullable, sender_host: TEXT nullable,
        sender_port: INT4 nullable, conninfo: TEXT nullable,
    }
}

relation! {
    PG_STAT_RECOVERY_PREFETCH = "pg_stat_recovery_prefetch" 12240, row_type 12242, View, empty;
    {
        stats_reset: TIMESTAMPTZ nullable, prefetch: INT8 nullable, hit: INT8 nullable, skip_init: INT8 nullable,
        skip_new: INT8 nullable, skip_fpw: INT8 nullable, skip_rep: INT8 nullable, wal_distance: INT4 nullable,
        block_distance: INT4 nullable, io_depth: INT4 nullable,
    }
}

relation! {
    PG_STAT_PROGRESS_ANALYZE = "pg_stat_progress_analyze" 12297, row_type 12299, View, empty;
    {
        pid: INT4 nullable, datid: OID nullable, datname: NAME nullable, relid: OID nullable, phase: TEXT nullable,
        sample_blks_total: INT8 nullable, sample_blks_scanned: INT8 nullable, ext_stats_total: INT8 nullable,
        ext_stats_computed: INT8 nullable, child_tables_total: INT8 nullable, child_tables_done: INT8 nullable,
        current_child_table_relid: OID nullable,
    }
}

relation! {
    PG_STAT_PROGRESS_BASEBACKUP = "pg_stat_progress_basebackup" 12317, row_type 12319, View, empty;
    {
        pid: INT4 nullable, phase: TEXT nullable, backup_total: INT8 nullable, backup_streamed: INT8 nullable,
        tablespaces_total: INT8 nullable, tablespaces_streamed: INT8 nullable,
    }
}

relation! {
    PG_STAT_PROGRESS_CLUSTER = "pg_stat_progress_cluster" 12307, row_type 12309, View, empty;
    {
        pid: INT4 nullable, datid: OID nullable, datname: NAME nullable, relid: OID nullable, command: TEXT nullable,
        phase: TEXT nullable, cluster_index_relid: OID nullable, heap_tuples_scanned: INT8 nullable,
        heap_tuples_written: INT8 nullable, heap_blks_total: INT8 nullable, heap_blks_scanned: INT8 nullable,
        index_rebuild_count: INT8 nullable,
    }
}

relation! {
    PG_STAT_PROGRESS_COPY = "pg_stat_progress_copy" 12322, row_type 12324, View, empty;
    {
        pid: INT4 nullable, datid: OID nullable, datname: NAME nullable, relid: OID nullable, command: TEXT nullable,
        type: TEXT nullable, bytes_processed: INT8 nullable, bytes_total: INT8 nullable,
        tuples_processed: INT8 nullable, tuples_excluded: INT8 nullable,
    }
}

relation! {
    PG_STAT_PROGRESS_CREATE_INDEX = "pg_stat_progress_create_index" 12312, row_type 12314, View, empty;
    {
        pid: INT4 nullable, datid: OID nullable, datname: NAME nullable, relid: OID nullable,
        index_relid: OID nullable, command: TEXT nullable, phase: TEXT nullable, lockers_total: INT8 nullable,
        lockers_done: INT8 nullable, current_locker_pid: INT8 nullable, blocks_total: INT8 nullable,
        blocks_done: INT8 nullable, tuples_total: INT8 nullable, tuples_done: INT8 nullable,
        partitions_total: INT8 nullable, partitions_done: INT8 nullable,
    }
}

relation! {
    PG_STAT_PROGRESS_VACUUM = "pg_stat_progress_vacuum" 12302, row_type 12304, View, empty;
    {
        pid: INT4 nullable, datid: OID nullable, datname: NAME nullable, relid: OID nullable, phase: TEXT nullable,
        heap_blks_total: INT8 nullable, heap_blks_scanned: INT8 nullable, heap_blks_vacuumed: INT8 nullable,
        index_vacuum_count: INT8 nullable, max_dead_tuples: INT8 nullable, num_dead_tuples: INT8 nullable,
    }
}

relation! {
    PG_STATS_EXT = "pg_stats_ext" 12058, row_type 12060, View, empty;
    {
        schemaname: NAME nullable, tablename: NAME nullable, statistics_schemaname: NAME nullable,
        statistics_name: NAME nullable, statistics_owner: NAME nullable, attnames: NAME_ARRAY nullable,
        exprs: TEXT_ARRAY nullable, kinds: CHAR_INTERNAL_ARRAY nullable, inherited: BOOL nullable,
        n_distinct: PG_NDISTINCT nullable, dependencies: PG_DEPENDENCIES nullable,
        most_common_vals: TEXT_ARRAY nullable, most_common_val_nulls: BOOL_ARRAY nullable,
        most_common_freqs: FLOAT8_ARRAY nullable, most_common_base_freqs: FLOAT8_ARRAY nullable,
    }
}

relation! {
    PG_STATS_EXT_EXPRS = "pg_stats_ext_exprs" 12063, row_type 12065, View, empty;
    {
        schemaname: NAME nullable, tablename: NAME nullable, statistics_schemaname: NAME nullable,
        statistics_name: NAME nullable, statistics_owner: NAME nullable, expr: TEXT nullable,
        inherited: BOOL nullable, null_frac: FLOAT4 nullable, avg_width: INT4 nullable, n_distinct: FLOAT4 nullable,
        most_common_vals: ANYARRAY nullable, most_common_freqs: FLOAT4_ARRAY nullable,
        histogram_bounds: ANYARRAY nullable, correlation: FLOAT4 nullable, most_common_elems: ANYARRAY nullable,
        most_common_elem_freqs: FLOAT4_ARRAY nullable, elem_count_histogram: FLOAT4_ARRAY nullable,
    }
}

relation! {
    PG_USER_MAPPINGS = "pg_user_mappings" 12327, row_type 12329, View, empty;
    {
        umid: OID nullable, srvid: OID nullable, srvname: NAME nullable, umuser: OID nullable,
        usename: NAME nullable, umoptions: TEXT_ARRAY nullable,
    }
}

relation! {
    PG_STAT_USER_FUNCTIONS = "pg_stat_user_functions" 12275, row_type 12277, View, empty;
    {
        funcid: OID nullable, schemaname: NAME nullable, funcname: NAME nullable, calls: INT8 nullable,
        total_time: FLOAT8 nullable, self_time: FLOAT8 nullable,
    }
}

relation! {
    PG_STAT_XACT_USER_FUNCTIONS = "pg_stat_xact_user_functions" 12280, row_type 12282, View, empty;
    {
        funcid: OID nullable, schemaname: NAME nullable, funcname: NAME nullable, calls: INT8 nullable,
        total_time: FLOAT8 nullable, self_time: FLOAT8 nullable,
    }
}

relation! {
    PG_MATVIEWS = "pg_matviews" 12038, row_type 12040, View, empty;
    {
        schemaname: NAME nullable, matviewname: NAME nullable, matviewowner: NAME nullable,
        tablespace: NAME nullable, hasindexes: BOOL nullable, ispopulated: BOOL nullable, definition: TEXT nullable,
    }
}

relation! {
    PG_RULES = "pg_rules" 12023, row_type 12025, View, empty;
    {
        schemaname: NAME nullable, tablename: NAME nullable, rulename: NAME nullable, definition: TEXT nullable,
    }
}

relation! {
    PG_STATISTIC = "pg_statistic" 2619, row_type 10029, PrivateTable, empty;
    {
        starelid: OID not_null, staattnum: INT2 not_null, stainherit: BOOL not_null, stanullfrac: FLOAT4 not_null,
        stawidth: INT4 not_null, stadistinct: FLOAT4 not_null, stakind1: INT2 not_null, stakind2: INT2 not_null,
        stakind3: INT2 not_null, stakind4: INT2 not_null, stakind5: INT2 not_null, staop1: OID not_null,
        staop2: OID not_null, staop3: OID not_null, staop4: OID not_null, staop5: OID not_null,
        stacoll1: OID not_null, stacoll2: OID not_null, stacoll3: OID not_null, stacoll4: OID not_null,
        stacoll5: OID not_null, stanumbers1: FLOAT4_ARRAY nullable, stanumbers2: FLOAT4_ARRAY nullable,
        stanumbers3: FLOAT4_ARRAY nullable, stanumbers4: FLOAT4_ARRAY nullable, stanumbers5: FLOAT4_ARRAY nullable,
        stavalues1: ANYARRAY nullable, stavalues2: ANYARRAY nullable, stavalues3: ANYARRAY nullable,
        stavalues4: ANYARRAY nullable, stavalues5: ANYARRAY nullable,
    }
}
