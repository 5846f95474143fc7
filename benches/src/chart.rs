//! Bar charts as SVG, readable on a light and on a dark page.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::machine;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 190.0;
const VALUES: f64 = 60.0;
const ROW: f64 = 22.0;
const TOP: f64 = 44.0;

/// Bars in groups, all on one scale.
#[derive(Debug)]
pub struct Chart {
    title: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Group(String),
    Bar {
        name: String,
        is_ours: bool,
        value: f64,
    },
}

impl Chart {
    /// A chart without bars.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            rows: Vec::new(),
        }
    }

    /// Begins a group.
    pub fn group(&mut self, name: &str) {
        self.rows.push(Row::Group(name.to_owned()));
    }

    /// Adds a bar to the group.
    pub fn bar(&mut self, name: &str, is_ours: bool, value: f64) {
        self.rows.push(Row::Bar {
            name: name.to_owned(),
            is_ours,
            value,
        });
    }

    /// Writes the chart into this package's folder, with what it was measured on below it.
    pub fn write(&self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        fs::write(path, self.svg()).expect("the chart can be written");
    }

    fn svg(&self) -> String {
        let values = self.rows.iter().map(|row| match row {
            Row::Group(_) => 0.0,
            Row::Bar { value, .. } => *value,
        });
        let longest = values.fold(f64::MIN_POSITIVE, f64::max);
        let mut bars = String::new();
        let mut y = TOP;
        for row in &self.rows {
            y += ROW;
            // Writing to a string does not fail.
            let _ = match row {
                Row::Group(name) => {
                    y += ROW / 3.0;
                    writeln!(
                        bars,
                        r#"<text x="8" y="{y:.0}" font-weight="bold">{name}</text>"#
                    )
                }
                Row::Bar {
                    name,
                    is_ours,
                    value,
                } => bar(&mut bars, y, name, *is_ours, *value, longest),
            };
        }
        let (title, machine) = (&self.title, machine::description());
        let (height, note) = (y + 2.0 * ROW, y + 1.4 * ROW);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="sans-serif" font-size="13">
<title>{title}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="24" font-size="15" font-weight="bold">{title}</text>
{bars}<text x="8" y="{note:.0}" font-size="9" fill="#59636e">{machine}</text>
</svg>
"##
        )
    }
}

fn bar(
    out: &mut String,
    y: f64,
    name: &str,
    is_ours: bool,
    value: f64,
    longest: f64,
) -> std::fmt::Result {
    let length = (WIDTH - LABELS - VALUES) * value / longest;
    let colour = if is_ours { "#0969da" } else { "#afb8c1" };
    let (top, after) = (y - 13.0, LABELS + length + 6.0);
    writeln!(
        out,
        r#"<text x="{:.0}" y="{y:.0}" text-anchor="end">{name}</text>"#,
        LABELS - 8.0
    )?;
    writeln!(
        out,
        r#"<rect x="{LABELS}" y="{top:.0}" width="{length:.1}" height="16" fill="{colour}"/>"#
    )?;
    writeln!(out, r#"<text x="{after:.1}" y="{y:.0}">{value:.2}</text>"#)
}
