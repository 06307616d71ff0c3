use super::*;

#[test]
fn lines_of_libtest_are_understood() {
    let check = |line, expected| assert_eq!(verdict(line), expected, "{line}");
    check(
        "test packet::tests::noop ... ok",
        Some(("packet::tests::noop", Verdict::Passed)),
    );
    check("test a::b ... FAILED", Some(("a::b", Verdict::Failed)));
    check(
        "test slow ... ignored, needs a night",
        Some(("slow", Verdict::Ignored("needs a night"))),
    );
    check("test slow ... ignored", Some(("slow", Verdict::Ignored(""))));
    check(
        "test src/lib.rs - Socket::emit (line 12) - compile ... ok",
        Some(("src/lib.rs - Socket::emit (line 12)", Verdict::Passed)),
    );
    check("test result: ok. 3 passed; 0 failed", None);
    check("running 3 tests", None);
}

#[test]
fn packages_are_named_in_both_forms_of_package_id() {
    let check = |id: &str, expected: &str| {
        let line = format!(
            r#"{{"package_id":"{id}","manifest_path":"/r/tests/it/Cargo.toml","executable":"/t/it-1","profile":{{"test":true}}}}"#
        );
        let (package, directory, executable) = test_binary(&line).unwrap();
        assert_eq!(
            (package.as_str(), directory.as_str(), executable.as_str()),
            (expected, "/r/tests/it", "/t/it-1")
        );
    };
    check("path+file:///r/tests/it#0.1.0", "it");
    check(
        "path+file:///r/host/engineio#wakeline-engineio@0.1.0",
        "wakeline-engineio",
    );
}
