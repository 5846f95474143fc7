//! Fills in the templates of the golden table.

use std::collections::HashMap;
use std::sync::LazyLock;

use zego_record_core::UnixSeconds;

/// Pieces that many bodies share, by name.
static FRAGMENTS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("fragments.json"))
        .unwrap_or_else(|error| panic!("golden/fragments.json is not readable: {error}"))
});

/// Fills in `{name}` and `{name:argument}`; anything else in braces stays as it is, since most of the
/// bodies are JSON.
#[derive(Debug)]
pub(super) struct Template {
    now: UnixSeconds,
    rng: fastrand::Rng,
    values: Vec<(&'static str, String)>,
    /// Where to pad, and to which length.
    fill: Option<(usize, usize)>,
}

impl Template {
    pub(super) fn new(now: UnixSeconds, rng: fastrand::Rng) -> Self {
        Self {
            now,
            rng,
            values: Vec::new(),
            fill: None,
        }
    }

    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.values.retain(|(other, _)| *other != name);
        self.values.push((name, value.into()));
    }

    pub(super) fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.rng
    }

    pub(super) fn text(&mut self, template: &str) -> String {
        String::from_utf8_lossy(&self.bytes(template)).into_owned()
    }

    pub(super) fn bytes(&mut self, template: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(template.len());
        self.expand(template, &mut out);
        if let Some((position, length)) = self.fill.take() {
            let missing = length.saturating_sub(out.len());
            out.splice(position..position, std::iter::repeat_n(b'x', missing));
        }
        out
    }

    fn expand(&mut self, template: &str, out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.extend(before.bytes());
            rest = match after.split_once('}') {
                Some((directive, tail)) if self.directive(directive, out) => tail,
                _ => {
                    out.push(b'{');
                    after
                }
            };
        }
        out.extend(rest.bytes());
    }

    /// Writes what a directive stands for; false if it is none.
    fn directive(&mut self, directive: &str, out: &mut Vec<u8>) -> bool {
        if let Some((_, value)) = self.values.iter().find(|(name, _)| *name == directive) {
            out.extend(value.bytes());
            return true;
        }
        if let Some(fragment) = FRAGMENTS.get(directive) {
            self.expand(fragment, out);
            return true;
        }
        self.function(directive, out).is_some()
    }

    fn function(&mut self, directive: &str, out: &mut Vec<u8>) -> Option<()> {
        let (name, argument) = directive.split_once(':')?;
        match name {
            "time" => {
                let age: i64 = match argument.split_once("..") {
                    Some((from, to)) => self
                        .rng
                        .i64(from.parse::<i64>().ok()?..=to.parse::<i64>().ok()?),
                    None => argument.parse().ok()?,
                };
                out.extend(self.now.get().saturating_sub(age).to_string().bytes());
            }
            "digits" => {
                let count = argument.parse().ok()?;
                // Not 0 in front, so that the digits can also be a JSON number.
                out.extend((0..count).map(|at| self.rng.u8(u8::from(at == 0)..10) + b'0'));
            }
            "alphanumeric" => {
                let count: usize = argument.parse().ok()?;
                out.extend(
                    (0..count)
                        .map(|_| self.rng.alphanumeric())
                        .collect::<String>()
                        .bytes(),
                );
            }
            "byte" => out.push(u8::from_str_radix(argument, 16).ok()?),
            "repeat" => {
                let (text, count) = argument.rsplit_once(':')?;
                out.extend(text.repeat(count.parse().ok()?).bytes());
            }
            "fill" => self.fill = Some((out.len(), argument.parse().ok()?)),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        let mut template =
            Template::new(UnixSeconds::new(1_760_001_900), fastrand::Rng::with_seed(1));
        template.set("unique", "7");
        template
    }

    #[test]
    fn directives_are_filled_in_and_other_braces_stay() {
        for (text, expected) in [
            (r#"{"a":{},"b":"{unique}"}"#, r#"{"a":{},"b":"7"}"#),
            ("{time:-2} {time:9}", "1760001902 1760001891"),
            (
                "{byte:41}{repeat:[:3}{repeat:{:2}{repeat:a:b:2}",
                "A[[[{{a:ba:b",
            ),
            ("a{fill:6}b", "axxxxb"),
            ("{unknown} {byte:zz} {", "{unknown} {byte:zz} {"),
        ] {
            assert_eq!(template().text(text), expected, "{text}");
        }
        assert_eq!(template().bytes("{byte:ff}"), [0xff]);
    }

    #[test]
    fn random_characters_have_the_requested_length() {
        for _ in 0..100 {
            let mut template = template();
            let digits = template.text("{digits:20}");
            assert!(
                digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()),
                "{digits}"
            );
            assert!(!digits.starts_with('0'), "{digits}");
            assert_eq!(template.text("{alphanumeric:10}").len(), 10);
        }
    }

    #[test]
    fn fragments_are_templates_themselves() {
        let text = template().text("{form_record}");
        assert!(text.contains("stream_alias=lesson-7&"), "{text}");
    }
}
