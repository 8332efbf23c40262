//! Colours: only for people, so only on terminals, and never with `NO_COLOR` (no-color.org).

use std::{
    fmt,
    io::{IsTerminal, stderr, stdout},
};

/// Where a text will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Whether what is written here is seen by a person.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Out => stdout().is_terminal(),
            Self::Err => stderr().is_terminal(),
        }
    }
}

/// How a piece of text looks; nothing is added to it where there are no colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(Option<&'static str>);

impl Paint {
    /// The text in this look.
    pub fn of(self, text: impl fmt::Display) -> String {
        match self.0 {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_string(),
        }
    }
}

/// For the word `error`, and what is wrong.
pub fn error(on: Stream) -> Paint {
    paint(on, "1;31")
}

/// For the word `warning`.
pub fn warning(on: Stream) -> Paint {
    paint(on, "1;33")
}

/// For hints: the word `note` or `help`.
pub fn note(on: Stream) -> Paint {
    paint(on, "1;36")
}

/// For what went well.
pub fn good(on: Stream) -> Paint {
    paint(on, "32")
}

/// For what matters most.
pub fn strong(on: Stream) -> Paint {
    paint(on, "1")
}

/// For what matters least: line numbers, rulers.
pub fn dim(on: Stream) -> Paint {
    paint(on, "2")
}

/// Whether colours are wanted there.
pub fn wants_colour(on: Stream) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    wanted(on.is_terminal(), set("NO_COLOR").is_some(), dumb)
}

fn paint(on: Stream, code: &'static str) -> Paint {
    Paint(wants_colour(on).then_some(code))
}

fn wanted(terminal: bool, no_color: bool, dumb: bool) -> bool {
    terminal && !no_color && !dumb
}

#[cfg(test)]
mod tests {
    use super::{Paint, wanted};

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        for (terminal, no_color, dumb, coloured) in [
            (true, false, false, true),
            (false, false, false, false),
            (true, true, false, false),
            (true, false, true, false),
        ] {
            assert_eq!(wanted(terminal, no_color, dumb), coloured, "{terminal} {no_color} {dumb}");
        }
        assert_eq!(Paint(Some("1;31")).of("error"), "\u{1b}[1;31merror\u{1b}[0m");
        assert_eq!(Paint(None).of("error"), "error");
    }
}
