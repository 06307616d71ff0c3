use super::*;

fn profile(host: &str) -> Profile {
    Profile {
        host: host.to_owned(),
        token: "wko_x".to_owned(),
    }
}

#[test]
fn the_first_profile_is_the_default_until_another_is_made_it() {
    let mut profiles = Profiles::default();
    profiles.keep("prod", profile("https://prod"), false);
    profiles.keep("stage", profile("https://stage"), false);
    assert_eq!(profiles.default_name(), Some("prod"));
    profiles.make_default("stage").unwrap();
    assert_eq!(profiles.default_name(), Some("stage"));
    profiles.keep("test", profile("https://test"), true);
    assert_eq!(profiles.default_name(), Some("test"));
    profiles.remove("test").unwrap();
    assert_eq!(profiles.default_name(), None);
    assert!(profiles.default_profile().is_none());
}

#[test]
fn what_is_written_is_read_again() {
    let mut profiles = Profiles::default();
    profiles.keep("prod", profile("https://prod"), false);
    let text = toml::to_string(&profiles).unwrap();
    assert_eq!(Profiles::parse(&text).unwrap(), profiles);
    assert_eq!(Profiles::parse("").unwrap(), Profiles::default());
}

#[test]
fn only_the_owner_can_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wakeline/config.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_name_that_is_nearly_right_is_offered() {
    let mut profiles = Profiles::default();
    profiles.keep("production", profile("https://prod"), false);
    let failure = profiles.get("prodution").unwrap_err();
    assert!(failure.help.unwrap().contains("production"));
    let failure = profiles.get("elsewhere").unwrap_err();
    assert!(
        failure
            .help
            .unwrap()
            .contains("wakeline login --profile elsewhere")
    );
}

#[test]
fn a_key_that_nobody_knows_is_an_error() {
    let error = Profiles::parse("defualt = \"x\"").unwrap_err();
    assert!(error.contains("defualt"), "{error}");
}

#[test]
fn a_mistake_in_the_file_does_not_show_a_token() {
    let error = Profiles::parse("[profiles.x]\ntoken = wko_hidden\n").unwrap_err();
    assert!(
        error.starts_with("line 2: ") && !error.contains("wko_hidden"),
        "{error}"
    );
}
