use super::*;

fn spelled(text: &str) -> String {
    JsonPath::parse(text).map_or_else(|error| format!("!{}", error.message()), |path| path.to_text())
}

#[test]
fn paths_are_spelled_as_postgresql_does() {
    for (text, expected) in [
        ("$", "$"),
        ("strict $.a[*] . b", "strict $.\"a\"[*].\"b\""),
        ("lax $.**{2 to last}.a", "$.**{2 to last}.\"a\""),
        ("$.a + 2 * -$x", "($.\"a\" + 2 * -$\"x\")"),
        ("($.a + 2).abs()", "($.\"a\" + 2).abs()"),
        ("$ ? (@.a > 1 && !(@.b == \"x\"))", "$?(@.\"a\" > 1 && !(@.\"b\" == \"x\"))"),
        ("$ ? ((@ == 1) is unknown)", "$?((@ == 1) is unknown)"),
        ("$[1, 2 to last - 1]", "$[1,2 to last - 1]"),
        ("$.datetime(\"HH24\").type()", "$.datetime(\"HH24\").type()"),
        ("$ ? (@ like_regex \"a\\tb\" flag \"mi\")", "$?(@ like_regex \"a\\tb\" flag \"im\")"),
        ("$.size", "$.\"size\""),
        ("1.50 - -1", "(1.50 - -1)"),
        ("(-1).abs()", "(-1).abs()"),
        ("-1.5.abs()", "(-(1.5).abs())"),
    ] {
        assert_eq!(spelled(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for (text, expected) in [
        ("", "!invalid input syntax for type jsonpath: \"\""),
        ("@", "!@ is not allowed in root expressions"),
        ("last", "!LAST is allowed only in array subscripts"),
        ("$.a.", "!syntax error at end of jsonpath input"),
        ("$ ? (@ + 1)", "!syntax error at or near \")\" of jsonpath input"),
        ("1a", "!trailing junk after numeric literal at or near \"1a\" of jsonpath input"),
    ] {
        assert_eq!(spelled(text), expected, "{text}");
    }
    assert!(JsonPath::parse(&"(".repeat(10_000)).is_err());
}
