//! Which pages may use a browser's connection to this server.
//!
//! A browser says where a page comes from (Origin), and lets any page open a WebSocket to anywhere: so the server decides. Who
//! sends no Origin is no browser. The page of this server itself may, and those of the configuration's list.
//!
//! A page that makes its own name point to this machine (DNS rebinding) is of the "same origin" too. So a role without a
//! password is trusted only where the client has named this machine by a name that nobody else can have.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Whether the page that a request comes from may talk to this server. `allowed` are origins such as `https://example.org`,
/// or `*`.
pub fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.zip(of_origin).is_some_and(|(host, origin)| host.eq_ignore_ascii_case(origin))
}

/// Whether a request was sent to a name that means this machine everywhere.
pub fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn pages_of_others_may_not() {
        let allowed = ["https://app.example.org".to_owned()];
        let may = |host, origin| is_allowed(&headers(host, origin), &allowed);
        assert!(may("127.0.0.1:8080", None));
        assert!(may("127.0.0.1:8080", Some("http://127.0.0.1:8080")));
        assert!(may("db.example.org", Some("https://app.example.org")));
        for foreign in
            ["http://evil.example", "http://127.0.0.1:9999", "null", "file://", "https://app.example.org.evil"]
        {
            assert!(!may("127.0.0.1:8080", Some(foreign)), "{foreign}");
        }
    }

    #[test]
    fn this_machine_has_few_names() {
        for name in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:80"] {
            assert!(names_this_machine(&headers(name, None)), "{name}");
        }
        for name in ["evil.example", "10.0.0.1:80", "[::2]", "localhost.evil.example"] {
            assert!(!names_this_machine(&headers(name, None)), "{name}");
        }
    }
}
