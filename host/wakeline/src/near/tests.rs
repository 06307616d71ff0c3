use super::*;

#[test]
fn a_slip_finds_its_name_and_a_strange_word_finds_none() {
    let check = |wanted, expected: Option<&str>| {
        let names = ["chat", "chat-stage", "greeter"];
        assert_eq!(nearest(wanted, names.into_iter()), expected, "{wanted}");
    };
    check("chta", Some("chat"));
    check("gretter", Some("greeter"));
    check("chat-stgae", Some("chat-stage"));
    check("payments", None);
}
