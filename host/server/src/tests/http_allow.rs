use crate::app_host::allows;

#[test]
fn hosts_of_the_manifest() {
    // entry, authority, allowed
    let cases = [
        ("api.example.com", "api.example.com:443", true),
        ("api.example.com", "api.example.com:80", true),
        ("api.example.com", "api.example.com:8443", false),
        ("api.example.com:8443", "api.example.com:8443", true),
        ("api.example.com:8443", "api.example.com:443", false),
        ("*.example.com", "api.example.com:443", true),
        ("*.example.com", "a.b.example.com:443", true),
        ("*.example.com", "example.com:443", false),
        ("*.example.com", ".example.com:443", false),
        ("*.example.com", "evilexample.com:443", false),
        ("*.example.com:81", "api.example.com:81", true),
        ("[::1]", "[::1]:80", true),
        ("[::1]:81", "[::1]:81", true),
        ("[::1]:81", "[::1]:80", false),
        ("api.example.com", "api.example.com", false),
    ];
    for (entry, authority, allowed) in cases {
        assert_eq!(allows(entry, authority), allowed, "{entry} {authority}");
    }
}
