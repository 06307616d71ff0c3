use std::{fmt, ops::Range};

/// Everything that is wrong with one manifest, in the order of its lines. The app's author is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestErrors {
    /// As the author named it.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// `section.key`; empty if the file is not TOML at this place.
    pub key: String,
    /// What is wrong: what was expected and what was found.
    pub message: String,
    /// What to do, if that is known.
    pub help: Option<String>,
    /// The line itself, and how many characters of it are meant.
    pub excerpt: String,
    pub width: usize,
}

impl Problem {
    pub(crate) fn new(
        source: &str,
        span: Range<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let start = span.start.min(source.len());
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let excerpt = source
            .get(line_start..)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let line_end = line_start + excerpt.len();
        let meant = source
            .get(start..span.end.clamp(start, line_end.max(start)))
            .unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            key: key.into(),
            message: message.into(),
            help: None,
            excerpt: excerpt.to_owned(),
            width: meant.chars().count().max(1),
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{}:{problem}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        let gutter = self.line.to_string();
        let blank = " ".repeat(gutter.len());
        // Tabs before the place are kept, so that the carets stand under it.
        let lead: String = self
            .excerpt
            .chars()
            .take(self.column - 1)
            .map(|c| if c == '\t' { c } else { ' ' })
            .collect();
        write!(
            f,
            "{}\n {blank} |\n {gutter} | {}\n {blank} | {lead}{}",
            self.message,
            self.excerpt,
            "^".repeat(self.width)
        )?;
        if let Some(help) = &self.help {
            write!(f, "\n {blank} = help: {help}")?;
        }
        Ok(())
    }
}
