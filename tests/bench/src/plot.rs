//! Two pictures, drawn by hand: SVG that reads on light and on dark.
use std::fmt::Write as _;

use crate::{crowd, echo, idle::IDLE, peers::Peer, run::Readings};

/// A series of dots: its part, its words, its colour.
const SERIES: [(&str, &str, &str); 2] = [
    (echo::SATURATED, "echo and ack", "echo"),
    (
        crowd::ONE_PACED,
        "one delivery to a room of 1,000, 20 messages a second",
        "fan",
    ),
];

const WIDTH: f64 = 860.0;
/// Where names end and the scale begins.
const LEFT: f64 = 300.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 92.0;
const ROW: f64 = 34.0;

const STYLE: &str = "<style>\
 .panel{fill:#fff;stroke:#d0d7de}.title{fill:#1f2328;font-weight:600;font-size:16px}.name{fill:#1f2328}\
 .ours{font-weight:600}.note,.tick{fill:#59636e;font-size:12px}.grid{stroke:#d0d7de}.value{fill:#1f2328;font-size:12px}\
 .echo{fill:#0969da}.fan{fill:#bc4c00}.bar{fill:#8c959f}.mine{fill:#0969da}text{font-family:system-ui,sans-serif;font-size:13px}\
 @media(prefers-color-scheme:dark){.panel{fill:#0d1117;stroke:#30363d}.title,.name,.value{fill:#f0f6fc}\
 .note,.tick{fill:#9198a1}.grid{stroke:#30363d}.echo{fill:#4493f8}.fan{fill:#f0883e}.bar{fill:#656c76}.mine{fill:#4493f8}}\
 </style>";

/// Processor time of a message, by server: a dot for each kind, on a scale of powers of ten.
pub(crate) fn cpu(readings: &Readings) -> Option<String> {
    let rows: Vec<(Peer, [Option<f64>; 2])> = peers(|peer| {
        let values = SERIES.map(|(part, _, _)| readings.value(part, peer, "cpu_us"));
        values.iter().any(Option::is_some).then_some(values)
    });
    let all = || rows.iter().flat_map(|(_, values)| values.iter().flatten());
    let most = all().copied().fold(1.0, f64::max);
    let powers = (most.log10().ceil() as i32).max(1);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * value.max(1.0).log10() / f64::from(powers);
    let mut svg = open(
        "Processor time of a message, µs, on a scale of powers of ten",
        rows.len(),
    )?;
    let bottom = TOP + ROW * rows.len() as f64;
    for power in 0..=powers {
        let value = 10_f64.powi(power);
        line(&mut svg, x(value), TOP - 12.0, bottom, &format!("{value}"));
    }
    let mut at = 20.0;
    for (_, words, class) in SERIES {
        _ = write!(
            svg,
            r#"<circle class="{class}" cx="{}" cy="52" r="5"/>"#,
            at + 5.0
        );
        _ = write!(
            svg,
            r#"<text class="note" x="{}" y="56">{words}</text>"#,
            at + 16.0
        );
        at += 36.0 + words.chars().count() as f64 * 6.5;
    }
    for (place, (peer, values)) in rows.iter().enumerate() {
        let y = name(&mut svg, *peer, place);
        // Beside the outer sides of the two, so that they never lie on each other.
        let swapped = matches!(values, [Some(echo), Some(fan)] if echo < fan);
        for (number, value) in values.iter().enumerate() {
            let (Some(value), Some((_, _, class))) = (value, SERIES.get(number)) else {
                continue;
            };
            let to_left = (number == 1) != swapped && values.iter().all(Option::is_some);
            let (anchor, dx) = if to_left { ("end", -9.0) } else { ("start", 9.0) };
            let x = x(*value);
            _ = write!(svg, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="5"/>"#);
            let (x, y) = (x + dx, y + 4.0);
            _ = write!(
                svg,
                r#"<text class="value" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
                short(*value)
            );
        }
    }
    Some(close(svg))
}

/// Resident memory of an idle session, by server.
pub(crate) fn idle(readings: &Readings) -> Option<String> {
    let rows: Vec<(Peer, f64)> = peers(|peer| Some(readings.value(IDLE, peer, "session_bytes")? / 1024.0));
    let most = rows.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let x = |value: f64| LEFT + (RIGHT - LEFT - 40.0) * value / most;
    let mut svg = open("Resident memory of an idle WebSocket session, KiB", rows.len())?;
    _ = write!(
        svg,
        r#"<text class="note" x="20" y="56">joined, in a room of ten; the floors hold no rooms' state, no heartbeats, no limits</text>"#
    );
    for (place, (peer, value)) in rows.iter().enumerate() {
        let y = name(&mut svg, *peer, place);
        let class = if *peer == Peer::Wakeline { "mine" } else { "bar" };
        let (end, top) = (x(*value), y - 8.0);
        let width = (end - LEFT).max(1.5);
        _ = write!(
            svg,
            r#"<rect class="{class}" x="{LEFT}" y="{top:.1}" width="{width:.1}" height="16" rx="2"/>"#
        );
        let (x, y) = (LEFT + width + 8.0, y + 4.0);
        _ = write!(
            svg,
            r#"<text class="value" x="{x:.1}" y="{y:.1}">{}</text>"#,
            short(*value)
        );
    }
    Some(close(svg))
}

/// Those that have something to show, in their order.
fn peers<T>(read: impl Fn(Peer) -> Option<T>) -> Vec<(Peer, T)> {
    Peer::ALL
        .into_iter()
        .filter_map(|peer| Some((peer, read(peer)?)))
        .collect()
}

/// None if there is nothing to draw.
fn open(title: &str, rows: usize) -> Option<String> {
    (rows > 0).then(|| {
        let height = TOP + ROW * rows as f64 + 20.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{title}\">{STYLE}<rect class=\"panel\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
             <text class=\"title\" x=\"20\" y=\"32\">{title}</text>",
            WIDTH - 1.0,
            height - 1.0
        )
    })
}

fn close(svg: String) -> String {
    svg + "</svg>\n"
}

/// The name of a row, and its middle.
fn name(svg: &mut String, peer: Peer, place: usize) -> f64 {
    let y = TOP + ROW * (place as f64 + 0.5);
    let class = if peer == Peer::Wakeline {
        "name ours"
    } else {
        "name"
    };
    _ = write!(
        svg,
        r#"<text class="{class}" x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
        LEFT - 16.0,
        y + 4.0,
        peer.title()
    );
    y
}

fn line(svg: &mut String, x: f64, top: f64, bottom: f64, label: &str) {
    _ = write!(
        svg,
        r#"<line class="grid" x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{bottom}"/>"#
    );
    _ = write!(
        svg,
        r#"<text class="tick" x="{x:.1}" y="{}" text-anchor="middle">{label}</text>"#,
        top - 5.0
    );
}

/// Two digits that count.
fn short(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests;
