//! The dashboard: a page of files that are part of the program, at `/` and under `/page/`.
//!
//! What always holds:
//! 1. The page gets nothing from any other host, and runs no script but its own files: the Content-Security-Policy says so to the
//!    browser. What it shows of the database becomes text, never markup.
//! 2. The files carry no secret: everybody may read them. Who signs in does it over the socket, as every other client does.
//! 3. A browser asks again each time and gets 304 as long as it has what this program has (ETag).

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

/// What a browser lets the page do: its own files, and its own server's sockets.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct File {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    etag: String,
}

/// The files by their names, from the folder `page` of this crate.
macro_rules! files {
    ($($name:literal $media_type:ident),* $(,)?) => {
        vec![$(File::new($name, $media_type, include_str!(concat!("../page/", $name)))),*]
    };
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    files![
        "index.html" HTML,
        "style.css" CSS,
        "icon.svg" SVG,
        "activity.js" JAVASCRIPT,
        "advice.js" JAVASCRIPT,
        "app.js" JAVASCRIPT,
        "catalog.js" JAVASCRIPT,
        "channels.js" JAVASCRIPT,
        "chart.js" JAVASCRIPT,
        "connection.js" JAVASCRIPT,
        "data.js" JAVASCRIPT,
        "dom.js" JAVASCRIPT,
        "editor.js" JAVASCRIPT,
        "format.js" JAVASCRIPT,
        "grid.js" JAVASCRIPT,
        "overview.js" JAVASCRIPT,
        "plan.js" JAVASCRIPT,
        "sql.js" JAVASCRIPT,
    ]
});

impl File {
    fn new(name: &'static str, media_type: &'static str, content: &'static str) -> File {
        let hash = digest::digest(&digest::SHA256, content.as_bytes());
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.as_ref()));
        File { name, media_type, content, etag }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let text = |value: &str| HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
        let headers: [(HeaderName, HeaderValue); 7] = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (header::ETAG, text(&self.etag)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        ];
        let known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let is_known = known.flat_map(|value| value.split(',')).any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag
        });
        match is_known {
            true => (StatusCode::NOT_MODIFIED, headers).into_response(),
            false => (headers, self.content).into_response(),
        }
    }
}

fn find(name: &str, request: &HeaderMap) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => file.answer(request),
        None => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
    }
}

/// The page's paths.
pub fn routes() -> Router {
    Router::new()
        .route("/", get(async |headers: HeaderMap| find("index.html", &headers)))
        .route("/page/{file}", get(async |Path(file): Path<String>, headers: HeaderMap| find(&file, &headers)))
        .fallback(async |uri: Uri, headers: HeaderMap| match uri.path() {
            // Browsers ask for it without being told to.
            "/favicon.ico" => find("icon.svg", &headers),
            _ => find("", &headers),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the whole page may take, bytes.
    const PAGE_BYTES_MAX: usize = 150_000;

    #[test]
    fn the_page_is_small_and_gets_nothing_from_elsewhere() {
        let total: usize = FILES.iter().map(|file| file.content.len()).sum();
        assert!(total <= PAGE_BYTES_MAX, "{total} bytes");
        for file in FILES.iter() {
            let foreign = ["http://", "https://", "//cdn", "@import"].into_iter().find(|mark| {
                // The namespace of SVG is a name, nothing that is fetched.
                file.content.replace("http://www.w3.org/2000/svg", "").contains(mark)
            });
            assert_eq!(foreign, None, "{}", file.name);
        }
    }

    #[test]
    fn the_page_has_no_script_or_style_between_its_markup() {
        let page = FILES.iter().find(|file| file.name == "index.html").unwrap();
        for inline in ["<script>", "<style", " style=", " onclick=", "javascript:"] {
            assert!(!page.content.contains(inline), "{inline}");
        }
        for file in FILES.iter().filter(|file| file.media_type == JAVASCRIPT) {
            for unsafe_way in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!file.content.contains(unsafe_way), "{} has {unsafe_way}", file.name);
            }
        }
    }

    #[test]
    fn every_import_is_a_file_of_the_page() {
        for file in FILES.iter().filter(|file| file.media_type == JAVASCRIPT) {
            for line in file.content.lines().filter(|line| line.starts_with("import ")) {
                let imported = line.split("'./").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or(line);
                assert!(FILES.iter().any(|other| other.name == imported), "{}: {imported}", file.name);
            }
        }
    }

    #[test]
    fn a_browser_that_has_the_file_is_told_so() {
        let mut headers = HeaderMap::new();
        let first = find("app.js", &headers);
        assert_eq!(first.status(), StatusCode::OK);
        assert!(first.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        let etag = first.headers().get(header::ETAG).unwrap().clone();
        headers.insert(header::IF_NONE_MATCH, etag);
        assert_eq!(find("app.js", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(find("style.css", &headers).status(), StatusCode::OK);
        assert_eq!(find("../Cargo.toml", &headers).status(), StatusCode::NOT_FOUND);
    }
}
