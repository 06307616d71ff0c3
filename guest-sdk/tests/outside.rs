//! What reaches a handler from elsewhere than a client: a backend's pushes, and states of another version.
#![allow(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    reason = "a test, and handlers have the shape that their callers give them"
)]
use wakeline_sdk::{
    prelude::*,
    test::{TestApp, TestSocket},
};

struct App;

#[derive(Default, Serialize, Deserialize)]
struct State {
    count: u32,
}

#[wakeline_sdk::handler]
impl App {
    #[push("news")]
    fn news(text: String) -> Result<()> {
        io().emit("news", text)
    }

    #[push]
    fn pushed(push: Push) -> Result<()> {
        let text = format!("{} {}", push.topic(), push.bytes().len());
        io().emit("pushed", text)?;
        if push.topic() == "bad" {
            Err("never".into())
        } else {
            Ok(())
        }
    }

    #[migrate]
    fn migrate(socket: &Socket, old: u32, migration: Migration) -> Result<State> {
        socket.emit("migrated", migration.from_version())?;
        let before: u32 = socket.state()?;
        assert_eq!(before, old);
        if old == 13 {
            return Err("an unlucky number".into());
        }
        Ok(State { count: old })
    }

    #[migrate(namespace = "/admin")]
    fn migrate_admin(migration: Migration) -> Result<Value> {
        migration.state()
    }
}

fn client() -> (TestApp, TestSocket) {
    let app = TestApp::new::<App>();
    let client = app.connect("/").unwrap();
    (app, client)
}

#[test]
fn a_backend_pushes_to_a_topic() {
    let (app, client) = client();
    app.push("news", "rain").unwrap();
    assert_eq!(client.received(), [("news", json!(["rain"]))]);
    app.push_bytes("other", b"\0\xff").unwrap();
    assert_eq!(client.received(), [("pushed", json!(["other 2"]))]);
    // Nothing of a push that fails happens.
    assert_eq!(app.push("bad", &()).unwrap_err().to_string(), "never");
    assert!(app.push("news", &5).is_err());
    assert!(client.received().is_empty());
}

#[test]
fn a_push_without_a_function_is_told_to_the_backend() {
    struct Quiet;
    impl Handler for Quiet {
        fn event(_: &Socket, _: Event) -> Result<()> {
            Ok(())
        }
    }
    let app = TestApp::new::<Quiet>();
    let error = app.push("news", &()).unwrap_err();
    assert_eq!(error.to_string(), "no handler for the topic \"news\"");
    // Nor does it change a state's form.
    let client = app.connect("/").unwrap();
    client.migrate(&5, 1).unwrap();
    assert_eq!(client.state::<u32>().unwrap(), 5);
}

#[test]
fn a_state_of_another_version_is_migrated() {
    let (_app, client) = client();
    client.migrate(&7, 3).unwrap();
    assert_eq!(client.state::<State>().unwrap().count, 7);
    assert_eq!(client.received(), [("migrated", json!([3]))]);
    let error = client.migrate(&13, 3).unwrap_err();
    assert_eq!(error.to_string(), "an unlucky number");
    assert_eq!(client.state::<u32>().unwrap(), 13);
    assert!(client.received().is_empty());
}
