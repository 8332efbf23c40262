//! Where a new password comes from: a pipe, a file, or somebody at the terminal. Never the command line, which every
//! user of the machine can see.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    path::PathBuf,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::verdict::Trouble;
use crate::{
    entropy::{Entropy, SystemEntropy},
    rules::factor::password::{self, LONGEST},
    secret::SecretText,
};

/// bcrypt's cost for new passwords.
const COST: u32 = 12;
/// What a password is refused for being shorter than.
const SHORTEST: usize = 8;

/// Where the password comes from; without either, it is asked for at the terminal.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct PasswordArgs {
    /// Read the password from standard input (one line).
    #[arg(long, conflicts_with = "password_file")]
    pub(super) password_stdin: bool,
    /// Read the password from a file (its first line).
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The bcrypt hash of the password.
    pub(super) fn hash(&self) -> Result<String, Trouble> {
        hash(&self.read()?)
    }

    fn read(&self) -> Result<SecretText, Trouble> {
        if self.password_stdin {
            return first_line(io::stdin().lock()).map_err(|error| unreadable("standard input", &error));
        }
        if let Some(path) = &self.password_file {
            let shown = path.display().to_string();
            let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
            return first_line(file).map_err(|error| unreadable(&shown, &error));
        }
        if !io::stdin().is_terminal() {
            return Err(Trouble::Usage(
                "no terminal to ask for the password at: use --password-stdin or --password-file".into(),
            ));
        }
        let (password, again) = ask_twice().map_err(|error| unreadable("the terminal", &error))?;
        if password.expose() == again.expose() {
            return Ok(password);
        }
        Err(Trouble::No("the two are not the same; nothing is changed".into()))
    }

    /// Whether somebody will have to type it.
    pub(super) fn is_typed(&self) -> bool {
        !self.password_stdin && self.password_file.is_none()
    }
}

fn hash(password: &SecretText) -> Result<String, Trouble> {
    if password.expose().chars().count() < SHORTEST {
        return Err(Trouble::No(format!("a password has at least {SHORTEST} characters")));
    }
    let entropy: &dyn Entropy = &SystemEntropy;
    password::hash(password, COST, entropy.array(), password::no_pause)
        .map_err(|refused| Trouble::No(refused.to_string()))
}

/// The first line without its end. One byte more than bcrypt takes is enough to refuse it.
fn first_line(from: impl Read) -> io::Result<SecretText> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    BufReader::new(from.take(LONGEST as u64 + 3)).read_until(b'\n', &mut line)?;
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(SecretText::from(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

fn ask_twice() -> io::Result<(SecretText, SecretText)> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    // Before the first prompt: what is typed earlier is thrown away.
    let quiet = Quiet::start(&terminal)?;
    let ask = |prompt: &str| {
        (&terminal).write_all(prompt.as_bytes())?;
        let answer = first_line(&terminal);
        (&terminal).write_all(b"\n")?;
        answer
    };
    let answers = (ask("New password: ")?, ask("Again: ")?);
    drop(quiet);
    Ok(answers)
}

/// A terminal that does not show what is typed, until dropped.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn start(terminal: &'t File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The shell sets its terminal up again anyway.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

fn unreadable(what: &str, error: &io::Error) -> Trouble {
    Trouble::Failed(format!("the password cannot be read from {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Trouble, first_line, hash};
    use crate::{rules::factor::password, secret::SecretText};

    fn read(bytes: &[u8]) -> String {
        first_line(bytes).unwrap().expose().to_owned()
    }

    #[test]
    fn one_line_end_is_taken_off_and_nothing_else() {
        assert_eq!(read(b" open sesame \n"), " open sesame ");
        assert_eq!(read(b"open sesame\r\nnot this"), "open sesame");
        assert_eq!(read(b"open sesame"), "open sesame");
        assert!(first_line(&b"\xff\xfe"[..]).is_err());
    }

    #[test]
    fn a_password_that_bcrypt_would_cut_is_refused_however_long_it_is() {
        for length in [73, 75, 80, 5000] {
            let text = SecretText::from(read("x".repeat(length).as_bytes()));
            assert!(matches!(hash(&text), Err(Trouble::No(_))), "{length}");
        }
        let longest = SecretText::from(read("x".repeat(72).as_bytes()));
        assert!(password::verify(&longest, &hash(&longest).unwrap(), password::no_pause));
    }

    #[test]
    fn a_short_or_empty_password_is_refused() {
        for short in ["", "1234567"] {
            assert!(matches!(hash(&SecretText::from(short.to_owned())), Err(Trouble::No(_))));
        }
    }
}
