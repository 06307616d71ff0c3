use super::*;

const FILE: &str = r#"
default = "prod"
[profiles.prod]
host = "https://prod.example.org"
token = "wko_prod"
[profiles.stage]
host = "https://stage.example.org/"
token = "wko_stage"
"#;

/// Options and variables as `--host x --profile y WAKELINE_TOKEN=z`; what is chosen as `URL TOKEN`.
fn choose(words: &str, file: &str) -> String {
    let mut host = cli::Host::default();
    let mut environment = Environment::default();
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        let mut value = || words.next().map(str::to_owned);
        match word.split_once('=') {
            Some(("WAKELINE_HOST", value)) => environment.host = Some(value.to_owned()),
            Some(("WAKELINE_PROFILE", value)) => environment.profile = Some(value.to_owned()),
            Some(("WAKELINE_TOKEN", value)) => environment.token = Some(value.to_owned()),
            _ if word == "--host" => host.host = value(),
            _ if word == "--profile" => host.profile = value(),
            _ => unreachable!("{word}"),
        }
    }
    let profiles = Profiles::parse(file).unwrap();
    match Access::choose(&host, &environment, &profiles) {
        Ok(access) => {
            let token = access.token.as_ref().map_or("-", Token::reveal);
            format!("{} {token}", access.url)
        }
        Err(failure) => failure.message,
    }
}

#[test]
fn options_win_over_variables_and_variables_over_profiles() {
    let check = |words, expected| assert_eq!(choose(words, FILE), expected, "{words}");
    check("", "https://prod.example.org wko_prod");
    check("WAKELINE_PROFILE=stage", "https://stage.example.org wko_stage");
    check(
        "WAKELINE_PROFILE=stage WAKELINE_TOKEN=t",
        "https://stage.example.org t",
    );
    check(
        "--profile prod WAKELINE_PROFILE=stage WAKELINE_TOKEN=t WAKELINE_HOST=http://h",
        "https://prod.example.org wko_prod",
    );
    check("WAKELINE_HOST=http://h WAKELINE_TOKEN=t", "http://h t");
    check(
        "--host http://g WAKELINE_HOST=http://h WAKELINE_TOKEN=t",
        "http://g t",
    );
}

#[test]
fn a_profiles_token_goes_to_its_host_only() {
    let check = |words, expected| assert_eq!(choose(words, FILE), expected, "{words}");
    check("--host https://evil.example.org", "https://evil.example.org -");
    check(
        "WAKELINE_HOST=https://evil.example.org",
        "https://evil.example.org -",
    );
    check(
        "--host https://evil.example.org WAKELINE_PROFILE=prod",
        "https://evil.example.org -",
    );
    check("--host http://prod.example.org", "http://prod.example.org -");
    check(
        "--host https://stage.example.org",
        "https://stage.example.org wko_stage",
    );
}

#[test]
fn this_machine_is_meant_where_nothing_is_said() {
    assert_eq!(choose("", ""), "http://127.0.0.1:3001 -");
    assert_eq!(choose("WAKELINE_TOKEN=t", ""), "http://127.0.0.1:3001 t");
}

#[test]
fn what_cannot_be_is_said_with_the_place_it_was_said_in() {
    let check = |words, place: &str| {
        let said = choose(words, FILE);
        assert!(said.contains(place), "{said}");
    };
    check("--host prod.example.org", "--host: expected an address");
    check("WAKELINE_HOST=ftp://x", "WAKELINE_HOST: expected");
    check("--host https://me:secret@x", "without a user's name");
    check("--profile prd", "no profile \"prd\"");
    check(
        "WAKELINE_HOST=http://h WAKELINE_TOKEN=töken",
        "WAKELINE_TOKEN: a token is",
    );
}

#[test]
fn loopback_is_what_does_not_leave_the_machine() {
    let check = |text: &str, loopback: bool| {
        let url = HostUrl::parse(text).unwrap();
        assert_eq!(url.is_loopback(), loopback, "{text}");
        assert_eq!(
            url.is_readable(),
            !loopback && text.starts_with("http:"),
            "{text}"
        );
    };
    check("http://127.0.0.1:3001", true);
    check("http://127.9.9.9", true);
    check("http://LOCALHOST:3001/", true);
    check("http://ops.localhost", true);
    check("http://[::1]:3001", true);
    check("http://10.0.0.1:3001", false);
    check("http://localhost.example.org", false);
    check("https://127.0.0.1.example.org", false);
    check("https://admin.example.org/wakeline", false);
}

#[test]
fn a_token_is_not_shown_by_accident() {
    let token = Token::new(" wko_secret\n", "x").unwrap();
    assert_eq!(token.reveal(), "wko_secret");
    assert!(!format!("{token:?}").contains("secret"));
}
