//! One error type for the whole program: a kind that decides the exit code, and one line for the user.

use std::fmt;

/// What went wrong, by who can act on it. The exit codes are a contract with schedulers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A defect of regrow itself (exit 1).
    Bug,
    /// The command line or project file asks for something impossible (exit 2).
    Usage,
    /// The input is damaged, missing, contradictory or of an unsupported form (exit 3).
    Input,
    /// A stated limit (memory, size) would be passed (exit 4).
    Limit,
    /// Reading or writing failed (exit 5).
    Io,
    /// The output is locked by another run (exit 8).
    Locked,
    /// A remote source failed after all tries (exit 9).
    Remote,
    /// Stopped by signal `n` (exit 128 + n).
    Signal(u8),
}

impl Kind {
    /// Exit code of the process that ends with this error.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Limit => 4,
            Self::Io => 5,
            Self::Locked => 8,
            Self::Remote => 9,
            Self::Signal(n) => 128 + n,
        }
    }

    /// Short name used in `--json` errors and JSON logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Usage => "usage",
            Self::Input => "input",
            Self::Limit => "limit",
            Self::Io => "io",
            Self::Locked => "locked",
            Self::Remote => "remote",
            Self::Signal(_) => "signal",
        }
    }
}

/// An error a user can act on: `<what failed>: <object, band, window>: <found, expected>; <remedy>`.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    message: String,
}

/// Result of everything fallible here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with a one-line message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
    /// A defect of regrow (exit 1).
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }
    /// A wrong command line or configuration (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }
    /// A bad or unsupported input (exit 3).
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }
    /// A limit that would be passed (exit 4).
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }
    /// Failed reading or writing (exit 5).
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(Kind::Io, message)
    }
    /// The I/O failure `error` while doing `what` (`"writing out.tif"`). A missing input is exit 3, all else exit 5.
    #[must_use]
    pub fn from_io(what: &str, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::Input,
            _ => Kind::Io,
        };
        Self::new(kind, format!("{what}: {error}"))
    }
    /// Kind, which decides the exit code.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// The message without context changes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
    /// The same error with what was being done put in front.
    #[must_use]
    pub fn context(self, what: impl fmt::Display) -> Self {
        Self { kind: self.kind, message: format!("{what}: {}", self.message) }
    }
}

/// Control characters (file names may hold terminal escapes or newlines) are escaped: one error, one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.message))
    }
}

/// `text` fit for a log line: control characters escaped, secrets of URLs masked.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in mask_secrets(text).chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Replaces user information and query strings of URLs by `***`: both carry passwords, signatures and tokens.
#[must_use]
pub fn mask_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        let (place, query) = url.split_once('?').map_or((url, None), |(p, q)| (p, Some(q)));
        let authority = place.find('/').unwrap_or(place.len());
        // A password may itself hold `/`; what stands before the last `@` of the whole is masked then.
        match place[..authority].rfind('@').or_else(|| place.rfind('@')) {
            Some(at) => {
                out.push_str("***");
                out.push_str(&place[at..]);
            }
            None => out.push_str(place),
        }
        if query.is_some() {
            out.push_str("?***");
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_stays_on_one_line() {
        let e = Error::input("bad\nname\u{1b}[31m.tif").context("reading");
        assert_eq!(e.to_string(), "reading: bad\\nname\\u{1b}[31m.tif");
    }

    #[test]
    fn secrets_of_urls_are_masked() {
        assert_eq!(mask_secrets("get https://u:p@h/x.tif?sig=1 now"), "get https://***@h/x.tif?*** now");
        assert_eq!(mask_secrets("s3://key:a/b@c@bucket/x"), "s3://***@bucket/x");
        assert_eq!(mask_secrets("a 'https://t@h' and http://h/p"), "a 'https://***@h' and http://h/p");
        assert_eq!(Error::input("https://a:b@c\n").to_string(), "https://***@c\\n");
    }

    #[test]
    fn exit_codes_follow_the_contract() {
        assert_eq!(Error::usage("x").kind().exit_code(), 2);
        assert_eq!(Kind::Signal(15).exit_code(), 143);
    }
}
