//! Any text as SQL: statements or an error, never a panic or a stack that overflows.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(sql) = std::str::from_utf8(data) {
        let _ = nqdb_sql::parse::parse(sql);
    }
});
