use super::*;

#[test]
fn packets_are_read() {
    assert_eq!(read("40"), Said::Connect);
    assert_eq!(
        read(r#"4207["echo","a",{"b":1}]"#),
        Said::Echo {
            id: "07",
            args: r#""a",{"b":1}"#
        }
    );
    assert_eq!(read(r#"420["join","r"]"#), Said::Join { id: "0", room: "r" });
    assert_eq!(
        read(r#"42["say","r","hello"]"#),
        Said::Say {
            room: "r",
            args: r#""hello""#
        }
    );
    for other in ["3", "42", "42[", r#"42["what",1]"#, r#"42["join"]"#, ""] {
        assert_eq!(read(other), Said::Other);
    }
}
