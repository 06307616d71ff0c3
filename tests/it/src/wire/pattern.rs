//! Expected text with holes: `$name` takes what is there the first time and must be the same later.
use std::collections::HashMap;

/// What the holes of a section hold.
pub(super) type Names = HashMap<String, String>;

/// A piece of an expectation.
enum Piece<'a> {
    Literal(&'a str),
    Hole(&'a str),
}

/// Puts known names in; for what is sent.
pub(super) fn fill(text: &str, names: &Names) -> String {
    let pieces = pieces(text).into_iter().map(|piece| match piece {
        Piece::Literal(literal) => literal.to_owned(),
        Piece::Hole(name) => names
            .get(name)
            .unwrap_or_else(|| panic!("${name} is not known yet"))
            .clone(),
    });
    pieces.collect::<String>().replace("<1e>", "\u{1e}")
}

/// Whether `actual` is as expected; takes new names if so.
pub(super) fn matches(expected: &str, actual: &str, names: &mut Names) -> bool {
    let expected = expected.replace("<1e>", "\u{1e}");
    let mut taken = Names::new();
    let fits = fit(&pieces(&expected), actual, names, &mut taken);
    if fits {
        names.extend(taken);
    }
    fits
}

fn fit(pieces: &[Piece<'_>], text: &str, names: &Names, taken: &mut Names) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Literal(literal), rest @ ..] => text
            .strip_prefix(literal)
            .is_some_and(|text| fit(rest, text, names, taken)),
        [Piece::Hole(name), rest @ ..] => {
            if let Some(known) = names.get(*name).or_else(|| taken.get(*name)).cloned() {
                return text
                    .strip_prefix(&known)
                    .is_some_and(|text| fit(rest, text, names, taken));
            }
            // Up to the next literal, or all that is left.
            let end = match rest {
                [Piece::Literal(literal), ..] => text.find(literal),
                _ => Some(text.len()),
            };
            let Some((value, text)) = end.and_then(|end| text.split_at_checked(end)) else {
                return false;
            };
            if *name != "_" {
                taken.insert((*name).to_owned(), value.to_owned());
            }
            fit(rest, text, names, taken)
        }
    }
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('$') {
        let end = after
            .find(|c: char| !c.is_ascii_lowercase() && c != '_')
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        pieces.push(Piece::Hole(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

#[test]
fn holes_take_and_then_compare() {
    let mut names = Names::new();
    assert!(matches(
        r#"40{"sid":"$sid","pid":"$pid"}"#,
        r#"40{"sid":"ab-1","pid":"x"}"#,
        &mut names
    ));
    assert_eq!((names["sid"].as_str(), names["pid"].as_str()), ("ab-1", "x"));
    assert!(matches("$sid!", "ab-1!", &mut names));
    assert!(!matches("$sid!", "other!", &mut names));
    assert!(matches("$_ ", "anything ", &mut names));
    assert!(!matches("1", "12", &mut names));
    assert_eq!(fill("?sid=$sid<1e>", &names), "?sid=ab-1\u{1e}");
}
