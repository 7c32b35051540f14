//! Time zone abbreviations that input knows: the names of PostgreSQL's `Default` set and what they mean.
//!
//! Abbreviations are not part of the tz database in this direction: one means different zones to different
//! people, so that a list has to decide. Where an abbreviation has changed its offset over the years it
//! stands for its zone, and the date decides.

use crate::TimeZone;

/// What an abbreviation stands for; offsets are in seconds east of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abbreviation {
    Standard(i32),
    Daylight(i32),
    /// The offset of a zone at the date in question.
    InZone(&'static str),
}

use Abbreviation::{Daylight, InZone, Standard};

/// The abbreviation's meaning; the word is in lower case.
pub(super) fn find(word: &str) -> Option<Abbreviation> {
    let index = ABBREVIATIONS.binary_search_by_key(&word, |(name, _)| name).ok()?;
    ABBREVIATIONS.get(index).map(|(_, meaning)| *meaning)
}

impl TimeZone {
    /// The zone that an abbreviation or a name stands for where a statement names one: abbreviations come first, so
    /// that `CET` is one hour east also in summer, as in PostgreSQL. The setting `TimeZone` knows names only.
    pub fn from_abbreviation_or_name(word: &str) -> Option<TimeZone> {
        match find(&word.to_ascii_lowercase()) {
            Some(Standard(seconds) | Daylight(seconds)) => TimeZone::fixed(seconds),
            Some(InZone(name)) => TimeZone::from_name(name),
            None => TimeZone::from_name(word),
        }
    }
}

#[rustfmt::skip]
const ABBREVIATIONS: &[(&str, Abbreviation)] = &[
    ("acdt", Daylight(37800)),
    ("acsst", Daylight(37800)),
    ("acst", Standard(34200)),
    ("act", Standard(-18000)),
    ("acwst", Standard(31500)),
    ("adt", Daylight(-10800)),
    ("aedt", Daylight(39600)),
    ("aesst", Daylight(39600)),
    ("aest", Standard(36000)),
    ("aft", Standard(16200)),
    ("akdt", Daylight(-28800)),
    ("akst", Standard(-32400)),
    ("almst", Daylight(25200)),
    ("almt", Standard(21600)),
    ("amst", InZone("Asia/Yerevan")),
    ("amt", Standard(-14400)),
    ("anast", InZone("Asia/Anadyr")),
    ("anat", InZone("Asia/Anadyr")),
    ("arst", InZone("America/Argentina/Buenos_Aires")),
    ("art", InZone("America/Argentina/Buenos_Aires")),
    ("ast", Standard(-14400)),
    ("awsst", Daylight(32400)),
    ("awst", Standard(28800)),
    ("azost", Daylight(0)),
    ("azot", Standard(-3600)),
    ("azst", InZone("Asia/Baku")),
    ("azt", InZone("Asia/Baku")),
    ("bdst", Daylight(7200)),
    ("bdt", Standard(21600)),
    ("bnt", Standard(28800)),
    ("bort", Standard(28800)),
    ("bot", Standard(-14400)),
    ("bra", Standard(-10800)),
    ("brst", Daylight(-7200)),
    ("brt", Standard(-10800)),
    ("bst", Daylight(3600)),
    ("btt", Standard(21600)),
    ("cadt", Daylight(37800)),
    ("cast", Standard(34200)),
    ("cct", Standard(28800)),
    ("cdt", Daylight(-18000)),
    ("cest", Daylight(7200)),
    ("cet", Standard(3600)),
    ("cetdst", Daylight(7200)),
    ("chadt", Daylight(49500)),
    ("chast", Standard(45900)),
    ("chut", Standard(36000)),
    ("ckt", InZone("Pacific/Rarotonga")),
    ("clst", Daylight(-10800)),
    ("clt", InZone("America/Santiago")),
    ("cot", Standard(-18000)),
    ("cst", Standard(-21600)),
    ("cxt", Standard(25200)),
    ("davt", InZone("Antarctica/Davis")),
    ("ddut", Standard(36000)),
    ("easst", InZone("Pacific/Easter")),
    ("east", InZone("Pacific/Easter")),
    ("eat", Standard(10800)),
    ("edt", Daylight(-14400)),
    ("eest", Daylight(10800)),
    ("eet", Standard(7200)),
    ("eetdst", Daylight(10800)),
    ("egst", Daylight(0)),
    ("egt", Standard(-3600)),
    ("est", Standard(-18000)),
    ("fet", Standard(10800)),
    ("fjst", Daylight(46800)),
    ("fjt", Standard(43200)),
    ("fkst", InZone("Atlantic/Stanley")),
    ("fkt", InZone("Atlantic/Stanley")),
    ("fnst", Daylight(-3600)),
    ("fnt", Standard(-7200)),
    ("galt", Standard(-21600)),
    ("gamt", Standard(-32400)),
    ("gest", InZone("Asia/Tbilisi")),
    ("get", InZone("Asia/Tbilisi")),
    ("gft", Standard(-10800)),
    ("gilt", Standard(43200)),
    ("gmt", Standard(0)),
    ("gyt", InZone("America/Guyana")),
    ("hkt", Standard(28800)),
    ("hst", Standard(-36000)),
    ("ict", Standard(25200)),
    ("idt", Daylight(10800)),
    ("iot", InZone("Indian/Chagos")),
    ("irkst", InZone("Asia/Irkutsk")),
    ("irkt", InZone("Asia/Irkutsk")),
    ("irt", Standard(12600)),
    ("ist", Standard(7200)),
    ("jayt", Standard(32400)),
    ("jst", Standard(32400)),
    ("kdt", Daylight(36000)),
    ("kgst", Daylight(21600)),
    ("kgt", InZone("Asia/Bishkek")),
    ("kost", InZone("Pacific/Kosrae")),
    ("krast", InZone("Asia/Krasnoyarsk")),
    ("krat", InZone("Asia/Krasnoyarsk")),
    ("kst", Standard(32400)),
    ("lhdt", InZone("Australia/Lord_Howe")),
    ("lhst", Standard(37800)),
    ("ligt", Standard(36000)),
    ("lint", InZone("Pacific/Kiritimati")),
    ("lkt", InZone("Asia/Colombo")),
    ("magst", InZone("Asia/Magadan")),
    ("magt", InZone("Asia/Magadan")),
    ("mart", Standard(-34200)),
    ("mawt", InZone("Antarctica/Mawson")),
    ("mdt", Daylight(-21600)),
    ("mest", Daylight(7200)),
    ("mesz", Daylight(7200)),
    ("met", Standard(3600)),
    ("metdst", Daylight(7200)),
    ("mez", Standard(3600)),
    ("mht", Standard(43200)),
    ("mmt", Standard(23400)),
    ("mpt", Standard(36000)),
    ("msd", Daylight(14400)),
    ("msk", InZone("Europe/Moscow")),
    ("mst", Standard(-25200)),
    ("must", Daylight(18000)),
    ("mut", Standard(14400)),
    ("mvt", Standard(18000)),
    ("myt", Standard(28800)),
    ("ndt", Daylight(-9000)),
    ("nft", Standard(-12600)),
    ("novst", InZone("Asia/Novosibirsk")),
    ("novt", InZone("Asia/Novosibirsk")),
    ("npt", Standard(20700)),
    ("nst", Standard(-12600)),
    ("nut", InZone("Pacific/Niue")),
    ("nzdt", Daylight(46800)),
    ("nzst", Standard(43200)),
    ("nzt", Standard(43200)),
    ("omsst", InZone("Asia/Omsk")),
    ("omst", InZone("Asia/Omsk")),
    ("pdt", Daylight(-25200)),
    ("pet", Standard(-18000)),
    ("petst", InZone("Asia/Kamchatka")),
    ("pett", InZone("Asia/Kamchatka")),
    ("pgt", Standard(36000)),
    ("pht", Standard(28800)),
    ("pkst", Daylight(21600)),
    ("pkt", Standard(18000)),
    ("pmdt", Daylight(-7200)),
    ("pmst", Standard(-10800)),
    ("pont", Standard(39600)),
    ("pst", Standard(-28800)),
    ("pwt", Standard(32400)),
    ("pyst", Daylight(-10800)),
    ("pyt", InZone("America/Asuncion")),
    ("ret", Standard(14400)),
    ("sadt", Daylight(37800)),
    ("sast", Standard(7200)),
    ("sct", Standard(14400)),
    ("sgt", InZone("Asia/Singapore")),
    ("taht", Standard(-36000)),
    ("tft", Standard(18000)),
    ("tjt", Standard(18000)),
    ("tkt", InZone("Pacific/Fakaofo")),
    ("tmt", InZone("Asia/Ashgabat")),
    ("tot", Standard(46800)),
    ("trut", Standard(36000)),
    ("tvt", Standard(43200)),
    ("uct", Standard(0)),
    ("ulast", Daylight(32400)),
    ("ulat", InZone("Asia/Ulaanbaatar")),
    ("ut", Standard(0)),
    ("utc", Standard(0)),
    ("uyst", Daylight(-7200)),
    ("uyt", Standard(-10800)),
    ("uzst", Daylight(21600)),
    ("uzt", Standard(18000)),
    ("vet", InZone("America/Caracas")),
    ("vlast", InZone("Asia/Vladivostok")),
    ("vlat", InZone("Asia/Vladivostok")),
    ("volt", InZone("Europe/Volgograd")),
    ("vut", Standard(39600)),
    ("wadt", Daylight(28800)),
    ("wakt", Standard(43200)),
    ("wast", Standard(25200)),
    ("wat", Standard(3600)),
    ("wdt", Daylight(32400)),
    ("wet", Standard(0)),
    ("wetdst", Daylight(3600)),
    ("wft", Standard(43200)),
    ("wgst", Daylight(-7200)),
    ("wgt", Standard(-10800)),
    ("xjt", Standard(21600)),
    ("yakst", InZone("Asia/Yakutsk")),
    ("yakt", InZone("Asia/Yakutsk")),
    ("yapt", Standard(36000)),
    ("yekst", Daylight(21600)),
    ("yekt", InZone("Asia/Yekaterinburg")),
    ("z", Standard(0)),
    ("zulu", Standard(0)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TimeZone;

    #[test]
    fn the_list_is_sorted_and_its_zones_exist() {
        for pair in ABBREVIATIONS.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        for (name, meaning) in ABBREVIATIONS {
            if let InZone(zone) = meaning {
                assert!(TimeZone::from_name(zone).is_some(), "{name}: {zone}");
            }
        }
    }
}
