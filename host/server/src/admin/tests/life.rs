//! An app's life, by HTTP, each answer held against the description.
use serde_json::{Value, json};

use super::{
    description::{check, description},
    harness::{Answer, Node, OPERATOR},
};

struct Told {
    node: Node,
    description: Value,
}

impl Told {
    fn start() -> Self {
        let node = Node::start();
        let description = description(&node);
        Self { node, description }
    }

    /// Asks, and holds the answer against what `path` is said to answer.
    fn ask(&self, method: &str, path: &str, described: &str, body: &[u8]) -> (u16, Value) {
        let answer = self.node.ask(method, path, Some(OPERATOR), body);
        self.held(method, described, &answer)
    }

    fn held(&self, method: &str, described: &str, answer: &Answer) -> (u16, Value) {
        let operation = &self.description["paths"][described][method.to_lowercase()];
        let status = answer.status.to_string();
        let answers = &operation["responses"];
        let expected = match answers.get(&status) {
            None if answer.status >= 400 => &answers["default"],
            expected => expected.unwrap_or(&Value::Null),
        };
        let schema = &expected["content"]["application/json"]["schema"];
        assert!(
            schema.is_object(),
            "{method} {described} is not said to answer {status}: {}",
            answer.body
        );
        let value = answer.json();
        check(
            &self.description["components"]["schemas"],
            schema,
            &value,
            described,
        );
        (answer.status, value)
    }

    fn app(&self, method: &str, rest: &str, body: &str) -> (u16, Value) {
        let described = format!("/v1/apps/{{app}}{rest}");
        self.ask(
            method,
            &format!("/v1/apps/chat{rest}"),
            &described,
            body.as_bytes(),
        )
    }
}

#[test]
fn an_apps_life() {
    let told = Told::start();
    assert_eq!(told.app("GET", "", "").0, 404);
    assert_eq!(
        told.app("PUT", "", "").1,
        json!({ "name": "chat", "created": true })
    );
    assert_eq!(told.app("PUT", "", "name = \"chat\"").1["created"], false);
    assert_eq!(told.app("GET", "", "").1["live"], Value::Null);
    for (method, path) in [("POST", "/emit"), ("POST", "/push"), ("GET", "/logs")] {
        let (status, refused) = told.app(method, path, r#"{"event":"say","args":[]}"#);
        assert_eq!(
            (status, &refused["error"]["code"]),
            (409, &json!("no_live_version")),
            "{path}"
        );
    }
    told.node.app("chat");
    let (_, app) = told.app("GET", "", "");
    assert_eq!(app["live"]["version"], 1);
    assert_eq!(app["limits"]["connections"], 10_000);
    assert_eq!(app["sockets"], 0);
    assert_eq!(
        app["usage"],
        json!({ "connections": 0, "sockets": 0, "instances": 0, "timers": 0 })
    );
    for name in app["usage"].as_object().unwrap().keys() {
        assert!(app["limits"][name].is_u64(), "{name} is no limit");
    }
    assert_eq!(app["totals"]["events"], 0);
    assert_eq!(app["limit_hits"], json!({}));
    let (_, versions) = told.app("GET", "/versions", "");
    assert_eq!(versions["versions"][0]["percent"], 100);
    let (_, rollout) = told.app("POST", "/live", r#"{"version":1,"wait_ms":0}"#);
    assert_eq!(
        (&rollout["version"], &rollout["percent"]),
        (&json!(1), &json!(100))
    );
    assert_eq!(rollout["nodes"].as_array().unwrap().len(), 1);
    let (status, refused) = told.app("POST", "/rollback", "");
    assert_eq!((status, &refused["error"]["code"]), (422, &json!("invalid")));
    assert_eq!(
        told.app("GET", "/sockets", "").1,
        json!({ "sockets": [], "partial": [] })
    );
    let (status, emitted) = told.app("POST", "/emit", r#"{"event":"say","args":["hi"]}"#);
    assert_eq!((status, &emitted["duplicate"]), (200, &json!(false)));
    let (_, apps) = told.ask("GET", "/v1/apps?limit=1", "/v1/apps", b"");
    assert_eq!(apps["apps"][0]["name"], "chat");
    told.ask("GET", "/v1/nodes", "/v1/nodes", b"");
    assert_eq!(told.app("DELETE", "", "").1, json!({}));
    assert_eq!(told.app("GET", "", "").0, 404);
    assert_eq!(told.app("POST", "/emit", r#"{"event":"say","args":[]}"#).0, 404);
}

#[test]
fn secrets_are_never_told() {
    let told = Told::start();
    told.app("PUT", "", "");
    let key = "/v1/apps/{app}/secrets/{key}";
    let put = told.ask("PUT", "/v1/apps/chat/secrets/API_KEY", key, b"hush-hush");
    assert_eq!(put, (200, json!({})));
    let (_, secrets) = told.app("GET", "/secrets", "");
    assert_eq!(secrets["secrets"][0]["name"], "API_KEY");
    for path in [
        "/v1/apps/chat",
        "/v1/apps/chat/secrets",
        "/v1/apps/chat/audit",
        "/v1/audit",
        "/metrics",
    ] {
        let answer = told.node.operator("GET", path, "");
        assert!(
            answer.status == 200 && !answer.body.contains("hush"),
            "{path}: {}",
            answer.body
        );
    }
    assert_eq!(
        told.ask(
            "GET",
            "/v1/apps/chat/secrets/API_KEY",
            "/v1/apps/{app}/secrets",
            b""
        )
        .0,
        405
    );
    let bad = told.ask("PUT", "/v1/apps/chat/secrets/a%2Fb", key, b"x");
    assert_eq!(bad.0, 422);
    assert_eq!(
        told.ask("PUT", "/v1/apps/chat/secrets/A", key, &vec![b'x'; 70_000])
            .0,
        413
    );
    assert_eq!(
        told.ask("DELETE", "/v1/apps/chat/secrets/API_KEY", key, b"").0,
        200
    );
    assert_eq!(
        told.ask("DELETE", "/v1/apps/chat/secrets/API_KEY", key, b"").0,
        404
    );
}

#[test]
fn tokens_and_who_made_them() {
    let told = Told::start();
    told.app("PUT", "", "");
    let wish = r#"{"name":"ci","scopes":["deploy","admin"],"expires_in_s":3600}"#;
    let (status, made) = told.app("POST", "/tokens", wish);
    assert_eq!(status, 201);
    let token = made["token"].as_str().unwrap();
    let who = told.held(
        "GET",
        "/v1/whoami",
        &told.node.ask("GET", "/v1/whoami", Some(token), b""),
    );
    assert_eq!(who.1["scopes"], json!(["deploy", "admin"]));
    let (_, listed) = told.app("GET", "/tokens", "");
    assert_eq!(listed["tokens"][0]["id"], made["id"]);
    assert!(!listed.to_string().contains(token));

    // What is done with it is written down under its id.
    assert_eq!(
        told.node
            .ask("PUT", "/v1/apps/chat", Some(token), b"[config]\nA = \"1\"")
            .status,
        200
    );
    let (_, audit) = told.app("GET", "/audit", "");
    let newest = &audit["entries"][0];
    assert_eq!(newest["action"], "app.manifest");
    assert!(
        newest["by"]
            .as_str()
            .unwrap()
            .contains(made["id"].as_str().unwrap())
    );
    assert!(!audit.to_string().contains(token));
    let (_, all) = told.ask("GET", "/v1/audit?app=chat&limit=2", "/v1/audit", b"");
    assert_eq!(all["entries"].as_array().unwrap().len(), 2);

    let path = format!("/v1/apps/chat/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(
        told.ask("DELETE", &path, "/v1/apps/{app}/tokens/{id}", b"").0,
        200
    );
    assert_eq!(told.node.ask("GET", "/v1/whoami", Some(token), b"").status, 401);
    let (status, operator) = told.ask("POST", "/v1/tokens", "/v1/tokens", br#"{"name":"ops"}"#);
    assert_eq!(status, 201);
    let operator = operator["token"].as_str().unwrap();
    assert_eq!(told.node.ask("GET", "/v1/nodes", Some(operator), b"").status, 200);
}

#[test]
fn files() {
    let told = Told::start();
    told.app("PUT", "", "");
    let assets = "/v1/apps/{app}/assets";
    let bad = told.ask("PUT", "/v1/apps/chat/assets", assets, b"no tar");
    assert_eq!((bad.0, &bad.1["error"]["code"]), (422, &json!("assets")));
    // One file, as `tar` writes it: 512 bytes of header, its sum as octal digits.
    let mut header = [0_u8; 512];
    header[..10].copy_from_slice(b"index.html");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(b"00000000002");
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[263..265].copy_from_slice(b"00");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(b"hi");
    archive.resize(512 * 4, 0);
    let put = told.ask("PUT", "/v1/apps/chat/assets", assets, &archive);
    assert_eq!(
        (put.0, &put.1["files"], &put.1["bytes"]),
        (200, &json!(1), &json!(2))
    );
    assert_eq!(told.ask("DELETE", "/v1/apps/chat/assets", assets, b"").0, 200);
}

#[test]
fn what_is_wrong_is_said() {
    let told = Told::start();
    told.app("PUT", "", "");
    let (status, refused) = told.app("PUT", "", "nme = \"x\"\n[limits]\nmemory_bytes = 1");
    assert_eq!((status, &refused["error"]["code"]), (422, &json!("manifest")));
    assert_eq!(refused["error"]["problems"].as_array().unwrap().len(), 2);
    assert_eq!(told.app("PUT", "", "name = \"game\"").0, 422);
    for (body, says) in [
        (&b"x"[..], "no WebAssembly"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0d\0\x01\0rubbish", ""),
    ] {
        let refused = told.ask("POST", "/v1/apps/chat/versions", "/v1/apps/{app}/versions", body);
        assert_eq!(
            (refused.0, &refused.1["error"]["code"]),
            (422, &json!("component"))
        );
        assert!(
            refused.1["error"]["message"].as_str().unwrap().contains(says),
            "{}",
            refused.1
        );
    }
    assert_eq!(told.app("POST", "/live", "{").0, 400);
    assert_eq!(
        told.app("POST", "/live", r#"{"version":1}"#).1["error"]["code"],
        "no_version"
    );
    assert_eq!(told.ask("GET", "/v1/apps?limit=0", "/v1/apps", b"").0, 400);
    assert_eq!(told.ask("GET", "/v1/apps?limt=1", "/v1/apps", b"").0, 400);
    let odd = told.node.operator("GET", "/v1/nothing", "");
    assert_eq!((odd.status, odd.code().as_str()), (404, "not_found"));
    let method = told.node.operator("PATCH", "/v1/apps/chat", "");
    assert_eq!(
        (method.status, method.headers["allow"].as_str()),
        (405, "PUT, GET, DELETE")
    );
    let head = told.node.operator("HEAD", "/v1/apps", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_sent() {
    let told = Told::start();
    told.app("PUT", "", "");
    for (path, length) in [
        ("/v1/apps/chat/versions", 1_u64 << 40),
        ("/v1/apps/chat/assets", 1 << 40),
        ("/v1/apps/chat", 70_000),
        ("/v1/apps/chat/emit", 5 << 20),
        ("/v1/apps/chat/tokens", 5_000),
    ] {
        let method = match path.rsplit('/').next().unwrap() {
            "versions" | "emit" | "tokens" => "POST",
            _ => "PUT",
        };
        if path.ends_with("emit") {
            told.node.app("chat");
        }
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {OPERATOR}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        assert_eq!(told.node.raw(head.as_bytes()).status, 413, "{path}");
    }
    let long = format!(
        "GET /v1/apps?after={} HTTP/1.1\r\nHost: a\r\n\r\n",
        "x".repeat(100_000)
    );
    assert!(matches!(told.node.raw(long.as_bytes()).status, 414 | 431));
}
