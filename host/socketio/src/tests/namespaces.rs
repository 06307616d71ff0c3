use expect_test::expect;

use super::{Run, check, check_fresh};

#[test]
fn connects() {
    check_fresh(
        r#"0
        accept /
        0/admin,{"token":"x"}
        accept /admin
        0/custom
        accept /custom
        0/nope?x=1,{}
        remove /nope?x=1
        2/admin,["a"]
        2/custom,["a"]
        1/custom
        1/admin,
        1/admin,
        2["a"]
        0/admin,
        accept /admin
        2/admin,["again"]
        2/nope?x=1,["a"]"#,
        &expect![[r#"
            0
              connect / -
            accept /
            0/admin,{"token":"x"}
              connect /admin {"token":"x"}
            accept /admin
            0/custom
              connect /custom -
            accept /custom
            0/nope?x=1,{}
              connect /nope?x=1 {}
            remove /nope?x=1
            2/admin,["a"]
              event /admin "a" []
            2/custom,["a"]
              event /custom "a" []
            1/custom
              disconnect /custom
            1/admin,
              disconnect /admin
            1/admin,
            2["a"]
              event / "a" []
            0/admin,
              connect /admin -
            accept /admin
            2/admin,["again"]
              event /admin "again" []
            2/nope?x=1,["a"]
              broken NotJoined: packet for a namespace that is not joined
        "#]],
    );
}

/// `auth` is passed on as it came, claims within it included.
#[test]
fn recovery_claims() {
    check_fresh(
        r#"0{"pid":"p","offset":"o","token":1}
        0/a,{"pid":"p"}
        0/b,{"pid":"p\u0041","offset":null}
        0/c,{"pid":1,"offset":"o"}
        0/d,{"offset":"o"}
        0/e,{"pid":"p","offset":5}
        0/f,{ }"#,
        &expect![[r#"
            0{"pid":"p","offset":"o","token":1}
              connect / {"pid":"p","offset":"o","token":1} RecoveryClaim { pid: "p", offset: Some("o") }
            0/a,{"pid":"p"}
              connect /a {"pid":"p"} RecoveryClaim { pid: "p", offset: None }
            0/b,{"pid":"p\u0041","offset":null}
              connect /b {"pid":"p\u0041","offset":null} RecoveryClaim { pid: "pA", offset: None }
            0/c,{"pid":1,"offset":"o"}
              connect /c {"pid":1,"offset":"o"}
            0/d,{"offset":"o"}
              connect /d {"offset":"o"}
            0/e,{"pid":"p","offset":5}
              connect /e {"pid":"p","offset":5} RecoveryClaim { pid: "p", offset: None }
            0/f,{ }
              connect /f { }
        "#]],
    );
}

#[test]
fn connect_twice() {
    check(
        "0",
        &expect![[r#"
        0
          broken ConnectedTwice: second CONNECT to a namespace
    "#]],
    );
    check_fresh(
        "0\n0",
        &expect![[r#"
        0
          connect / -
        0
          broken ConnectedTwice: second CONNECT to a namespace
    "#]],
    );
}

/// wire-probe: "EVENT before CONNECT"; also while the answer to CONNECT is due.
#[test]
fn not_joined_yet() {
    check_fresh(
        "2[\"a\"]",
        &expect![[r#"
        2["a"]
          broken NotJoined: packet for a namespace that is not joined
    "#]],
    );
    check_fresh(
        "0\n2[\"a\"]",
        &expect![[r#"
        0
          connect / -
        2["a"]
          broken NotJoined: packet for a namespace that is not joined
    "#]],
    );
    check_fresh(
        "0\n1",
        &expect![[r#"
        0
          connect / -
        1
          broken NotJoined: packet for a namespace that is not joined
    "#]],
    );
    check_fresh(
        "0\n31[]\n1/x",
        &expect![[r#"
        0
          connect / -
        31[]
        1/x
    "#]],
    );
}

#[test]
fn server_leaves() {
    check(
        "remove /\n1\n31[]\n0\naccept /\n2[\"a\"]",
        &expect![[r#"
        remove /
        1
        31[]
        0
          connect / -
        accept /
        2["a"]
          event / "a" []
    "#]],
    );
    check(
        "51-[\"a\",{\"_placeholder\":true,\"num\":0}]\nremove /\nbinary x\n0",
        &expect![[r#"
            51-["a",{"_placeholder":true,"num":0}]
            remove /
            binary x
            0
              connect / -
        "#]],
    );
}

#[test]
fn joins_nothing_in_time() {
    check_fresh(
        "+44999\n+1\n+1",
        &expect![[r#"
        +44999
        +1
          broken ConnectTimeout: no namespace joined in time
        +1
    "#]],
    );
    // Asking is not joining.
    check_fresh(
        "0\n+45000",
        &expect![[r#"
        0
          connect / -
        +45000
          broken ConnectTimeout: no namespace joined in time
    "#]],
    );
    // Once joined the timer never starts again.
    check_fresh(
        "0\naccept /\n1\n+100000\n0",
        &expect![[r#"
        0
          connect / -
        accept /
        1
          disconnect /
        +100000
        0
          connect / -
    "#]],
    );
    check_fresh(
        "accept /\n+45000",
        &expect![[r#"
        accept /
        +45000
          broken ConnectTimeout: no namespace joined in time
    "#]],
    );
}

#[test]
fn too_many() {
    let mut run = Run::new();
    for index in 0..256 {
        assert_eq!(
            run.step(&format!("0/{index},")),
            format!("  connect /{index} -\n")
        );
    }
    assert_eq!(
        run.step("0/one more,"),
        "  broken TooManyNamespaces: more than 256 namespaces\n"
    );
}
