//! `/metrics`: the counters of all layers as Prometheus text.

use std::fmt::Write;

use nqdb_session::{Instance, Latency};

use crate::realtime::Realtime;

/// One figure: its name, what it says, and its value.
enum Figure {
    Counter(&'static str, &'static str, f64),
    Gauge(&'static str, &'static str, f64),
}

/// All figures, in the order of the layers from the client down.
pub fn render(realtime: &Realtime) -> String {
    let instance = &realtime.instance;
    let mut text = String::with_capacity(8 * 1024);
    let figures =
        session_figures(instance).into_iter().chain(realtime_figures(realtime)).chain(storage_figures(instance));
    for figure in figures {
        let (name, help, kind, value) = match figure {
            Figure::Counter(name, help, value) => (name, help, "counter", value),
            Figure::Gauge(name, help, value) => (name, help, "gauge", value),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    let help = "Time from the publication at a commit to the socket of a real-time client, for batches of messages.";
    text.push_str(&realtime.counters.lag.render("nqdb_realtime_lag_seconds", help));
    write_latency(&mut text, &instance.metrics.latency);
    text
}

/// How long requests take, as a histogram.
fn write_latency(text: &mut String, latency: &Latency) {
    let name = "nqdb_request_seconds";
    let counts = latency.cumulative();
    let count = counts.last().map_or(0, |(_, count)| *count);
    // Writing to a String cannot fail.
    let _ = write!(text, "# HELP {name} From a request's arrival to the end of its answer.\n# TYPE {name} histogram\n");
    for (bound, count) in counts {
        let _ = match bound.is_finite() {
            true => writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}"),
            false => writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}"),
        };
    }
    let _ = write!(text, "{name}_sum {}\n{name}_count {count}\n", latency.sum_seconds());
}

fn session_figures(instance: &Instance) -> Vec<Figure> {
    use Figure::{Counter, Gauge};
    let metrics = &instance.metrics;
    let count = |counter: &nqdb_session::Counter| counter.get() as f64;
    let cache = instance.column_cache_stats();
    let temporary = instance.temporary.usage();
    let hub = instance.hub.stats();
    let uptime_seconds = (instance.now_micros() - instance.started_micros()) as f64 / 1e6;
    vec![
        Gauge("nqdb_uptime_seconds", "Time since the start of the server.", uptime_seconds),
        Gauge("nqdb_connections", "Sessions now.", instance.registry.count() as f64),
        Gauge("nqdb_connections_max", "Sessions that there may be.", instance.registry.sessions_max() as f64),
        Gauge(
            "nqdb_statement_memory_bytes",
            "Memory that statements and the column cache hold.",
            instance.statement_memory.held_bytes() as f64,
        ),
        Gauge(
            "nqdb_statement_memory_limit_bytes",
            "What they may hold.",
            instance.statement_memory.limit_bytes() as f64,
        ),
        Counter("nqdb_connections_total", "Connections that asked for a session.", count(&metrics.connections)),
        Counter(
            "nqdb_connections_refused_total",
            "Connections refused because all places were taken.",
            count(&metrics.connections_refused),
        ),
        Counter("nqdb_statements_total", "Statements executed.", count(&metrics.statements)),
        Counter("nqdb_errors_total", "Errors sent to clients.", count(&metrics.errors)),
        Counter("nqdb_rows_sent_total", "Rows sent to clients.", count(&metrics.rows_sent)),
        Counter("nqdb_cancel_requests_total", "Cancel requests received.", count(&metrics.cancels)),
        Counter("nqdb_panics_total", "Sessions ended by a fault of the server.", count(&metrics.panics)),
        Counter("nqdb_plans_made_total", "Plans made.", count(&metrics.plans_made)),
        Counter("nqdb_plans_reused_total", "Plans found ready.", count(&metrics.plans_reused)),
        Counter(
            "nqdb_analytical_planner_calls_total",
            "Queries given to the analytical executor.",
            count(&metrics.analytical_planner_calls),
        ),
        Counter("nqdb_temporary_files_total", "Temporary files that were made and are gone.", temporary.files as f64),
        Counter("nqdb_temporary_bytes_total", "Their bytes.", temporary.bytes as f64),
        Gauge("nqdb_temporary_files", "Temporary files now.", temporary.open_files as f64),
        Gauge("nqdb_temporary_bytes", "Bytes in them.", temporary.open_bytes as f64),
        Counter("nqdb_notify_published_total", "Notifications of committed transactions.", hub.published as f64),
        Counter("nqdb_notify_delivered_total", "Batches of notifications put into queues.", hub.delivered as f64),
        Gauge("nqdb_notify_subscribers", "Who has listened.", hub.subscribers as f64),
        Gauge("nqdb_notify_channels", "Channels that are listened to.", hub.channels as f64),
        Gauge("nqdb_notify_held_bytes", "Bytes of notifications not read by all.", hub.held_bytes as f64),
        Counter("nqdb_notify_dropped_total", "Listeners dropped because they did not read.", hub.dropped as f64),
        Counter("nqdb_notify_refused_total", "Transactions refused because of a full queue.", hub.refused as f64),
        Counter("nqdb_column_cache_hits_total", "Segments of tables found in the column cache.", cache.hits as f64),
        Counter("nqdb_column_cache_misses_total", "Segments of tables read for it.", cache.misses as f64),
        Gauge(
            "nqdb_column_cache_bytes",
            "Bytes of the statements' memory in the column cache.",
            cache.held_bytes as f64,
        ),
    ]
}

fn realtime_figures(realtime: &Realtime) -> Vec<Figure> {
    use Figure::{Counter, Gauge};
    let counters = &realtime.counters;
    let count = |counter: &nqdb_session::Counter| counter.get() as f64;
    let hub = realtime.instance.hub.stats();
    vec![
        Gauge("nqdb_realtime_connections", "Real-time clients now.", realtime.connection_count() as f64),
        Counter("nqdb_realtime_connections_total", "Real-time clients since the start.", count(&counters.connections)),
        Counter("nqdb_realtime_refused_total", "Real-time clients refused.", count(&counters.refused)),
        Counter(
            "nqdb_realtime_disconnects_total",
            "Real-time clients that left or were sent away.",
            count(&counters.disconnects),
        ),
        Counter("nqdb_realtime_commands_total", "Commands of real-time clients.", count(&counters.commands)),
        Counter("nqdb_realtime_published_total", "Messages published by them.", count(&counters.published)),
        Counter("nqdb_realtime_sent_total", "Messages sent to them.", count(&counters.sent)),
        Counter("nqdb_realtime_recoveries_total", "Subscribers that came back.", hub.recoveries as f64),
        Counter("nqdb_realtime_gaps_total", "Those of them that had missed too much.", hub.gaps as f64),
        Gauge("nqdb_live_queries", "Live queries that are followed.", realtime.instance.live.count() as f64),
        Gauge(
            "nqdb_live_held_bytes",
            "Bytes that the results of live queries hold.",
            realtime.instance.live.held_bytes() as f64,
        ),
        Gauge(
            "nqdb_feed_bytes",
            "Changes of published tables whose transactions have not ended.",
            realtime.instance.system.feed_bytes() as f64,
        ),
        Gauge("nqdb_realtime_history_bytes", "Bytes that channels keep.", hub.history_bytes as f64),
    ]
}

fn storage_figures(instance: &Instance) -> Vec<Figure> {
    use Figure::{Counter, Gauge};
    let txn = instance.system.stats();
    let storage = instance.system.engine().stats();
    vec![
        Counter("nqdb_commits_total", "Transactions committed.", txn.commits as f64),
        Counter("nqdb_rollbacks_total", "Transactions rolled back.", txn.rollbacks as f64),
        Counter("nqdb_deadlocks_total", "Deadlocks resolved.", txn.deadlocks as f64),
        Gauge("nqdb_transactions_active", "Transactions that have written and not ended.", txn.active as f64),
        Gauge("nqdb_oldest_snapshot_age_seconds", "Age of the oldest snapshot in use.", txn.oldest_snapshot_seconds),
        Gauge("nqdb_undo_bytes", "Bytes of undo kept.", txn.undo_bytes as f64),
        Gauge("nqdb_purge_backlog", "Ended transactions whose undo is still kept.", txn.purge_backlog as f64),
        Counter("nqdb_page_hits_total", "Page fetches served from memory.", storage.hits as f64),
        Counter("nqdb_page_reads_total", "Pages read from the data file.", storage.page_reads as f64),
        Counter("nqdb_page_writes_total", "Pages written to the data file.", storage.page_writes as f64),
        Counter("nqdb_page_evictions_total", "Frames taken from one page for another.", storage.evictions as f64),
        Counter("nqdb_frame_waits_total", "Requests that waited for a clean frame.", storage.frame_waits as f64),
        Counter("nqdb_log_bytes_total", "Bytes appended to the log.", storage.log_bytes as f64),
        Counter("nqdb_log_writes_total", "Writes of gathered log groups.", storage.log_writes as f64),
        Counter("nqdb_log_syncs_total", "Syncs of the log.", storage.log_syncs as f64),
        Counter("nqdb_log_waits_total", "Reservations that waited for log room.", storage.log_waits as f64),
        Counter("nqdb_page_splits_total", "Pages split.", storage.splits as f64),
        Counter("nqdb_page_merges_total", "Pages merged away.", storage.merges as f64),
        Counter("nqdb_checkpoints_total", "Checkpoints written.", storage.checkpoints as f64),
        Counter("nqdb_backups_total", "Backups completed.", storage.backups as f64),
        Counter("nqdb_log_archived_total", "Log segments archived.", storage.log_archived as f64),
        Counter(
            "nqdb_log_archive_failures_total",
            "Failed attempts to archive one.",
            storage.log_archive_failures as f64,
        ),
        Gauge(
            "nqdb_log_unarchived_bytes",
            "Bytes of finished log segments that the archive lacks.",
            storage.unarchived_log_bytes as f64,
        ),
        Gauge("nqdb_frames", "Page frames the pool may use.", storage.frames as f64),
        Gauge("nqdb_frames_used", "Page frames in use.", storage.used_frames as f64),
        Gauge("nqdb_frames_dirty", "Page frames with changes not in the data file.", storage.dirty_frames as f64),
        Gauge("nqdb_data_pages", "Pages of the data file that were ever used.", storage.data_pages as f64),
        Gauge(
            "nqdb_recovery_log_bytes",
            "Bytes of log that recovery would read now.",
            storage.recovery_log_bytes as f64,
        ),
    ]
}
