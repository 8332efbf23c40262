//! What the parser stumbles over is often not where the mistake is: the usual ones, looked for in the text.

/// What is wrong and how to mend it, at a line and a column from 1.
pub(super) struct Hint {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) what: String,
    pub(super) help: String,
}

/// Looks around the line where the parser gave up, and where it says that what it was reading begins.
pub(super) fn look(text: &str, line: u32, column: u32, message: &str) -> Option<Hint> {
    let lines: Vec<&str> = text.lines().collect();
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let here = lines.get(index).copied().unwrap_or_default();
    let before = lines.get(..index).unwrap_or_default();
    if message.contains("unclosed quote") {
        let (what, help) = ("the quote that begins here is never closed", "write it again behind the value");
        return Some(Hint { line, column, what: what.to_owned(), help: help.to_owned() });
    }
    merge(&lines)
        .or_else(|| other_bracket(line, column, message))
        .or_else(|| tab(&lines, index))
        .or_else(|| never_closed(before, here, index))
        .or_else(|| dash(&lines, index))
        .or_else(|| no_space(&lines, index))
        .or_else(|| no_colon(here, index, message))
        .or_else(|| needs_quotes(here, index, message))
        .or_else(|| colon_inside(here, index))
        .or_else(|| indentation(before, here, index))
}

fn hint(index: usize, column: usize, what: impl Into<String>, help: impl Into<String>) -> Option<Hint> {
    let number = |number: usize| u32::try_from(number + 1).ok();
    Some(Hint { line: number(index)?, column: number(column)?, what: what.into(), help: help.into() })
}

/// The last lines up to `index` that say something, nearest first.
fn recent<'t>(lines: &[&'t str], index: usize) -> impl Iterator<Item = (usize, &'t str)> {
    let said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let numbered: Vec<(usize, &str)> = lines.iter().copied().enumerate().take(index + 1).collect();
    numbered.into_iter().rev().filter(move |(_, line)| said(line)).take(2)
}

/// What a version control leaves in a file that it could not merge.
fn merge(lines: &[&str]) -> Option<Hint> {
    let left = |line: &&str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    let help = "keep one of the two versions, and remove the lines that begin with `<<<<<<<`, `=======` and `>>>>>>>`";
    hint(lines.iter().position(left)?, 0, "a merge was not finished", help)
}

/// `[root, admin }`, of which the parser says where the first of the two is.
fn other_bracket(line: u32, column: u32, message: &str) -> Option<Hint> {
    let (_, brackets) = message.split_once("mismatched bracket '")?;
    let (open, rest) = brackets.split_once('\'')?;
    let (_, rest) = rest.split_once('\'')?;
    let (close, _) = rest.split_once('\'')?;
    let right = if open == "[" { "]" } else { "}" };
    let what = format!("the `{open}` that opens here is closed by `{close}`");
    let help = format!("write `{right}` in place of the `{close}`");
    Some(Hint { line, column, what, help })
}

fn tab(lines: &[&str], index: usize) -> Option<Hint> {
    let around = index.saturating_sub(1)..lines.len().min(index + 2);
    around.filter_map(|at| Some((at, lines.get(at)?))).find_map(|(at, line)| {
        let column = line.chars().take_while(|c| c.is_whitespace()).position(|c| c == '\t')?;
        hint(at, column, "the line is indented with a tab", "YAML takes spaces only: put two for each step")
    })
}

/// `paths: [/users/**` and the next line is already another key.
fn never_closed(before: &[&str], here: &str, index: usize) -> Option<Hint> {
    let mut open: Vec<(usize, usize, char)> = Vec::new();
    for (number, line) in before.iter().copied().chain([here]).enumerate() {
        scan(line, number, &mut open);
    }
    let (number, column, bracket) = open.into_iter().find(|(number, _, _)| *number < index)?;
    let close = match bracket {
        '[' => ']',
        '{' => '}',
        other => other,
    };
    if bracket == '"' || bracket == '\'' {
        return hint(
            number,
            column,
            "the quote that begins here is never closed",
            format!("write the other `{close}`"),
        );
    }
    hint(
        number,
        column,
        format!("the `{bracket}` that opens here is never closed"),
        format!("write `{close}` behind the last value"),
    )
}

/// Keeps the brackets that are open after a line.
fn scan(line: &str, number: usize, open: &mut Vec<(usize, usize, char)>) {
    let mut quote = None;
    let mut last = ' ';
    for (column, c) in line.chars().enumerate() {
        match (quote, c) {
            (Some((_, begun)), c) if c == begun => quote = None,
            (Some(_), _) => continue,
            (None, '#') if last.is_whitespace() => break,
            (None, '"' | '\'') if " [{,:-".contains(last) => quote = Some((column, c)),
            (None, '[' | '{') if !open.is_empty() || " [{:-".contains(last) => open.push((number, column, c)),
            (None, ']' | '}') => {
                open.pop();
            }
            (None, _) => {}
        }
        last = c;
    }
    if let Some((column, begun)) = quote {
        open.push((number, column, begun));
    }
}

/// `-name: users`.
fn dash(lines: &[&str], index: usize) -> Option<Hint> {
    recent(lines, index).find_map(|(at, line)| {
        let rest = line.trim_start().strip_prefix('-')?;
        let glued = rest.starts_with(|c: char| c.is_ascii_alphabetic()) && rest.contains(':');
        let column = line.chars().take_while(|c| c.is_whitespace()).count();
        hint(at, column, "there is no space behind the dash", format!("write `- {rest}`")).filter(|_| glued)
    })
}

/// `name:users`, which is one word to YAML.
fn no_space(lines: &[&str], index: usize) -> Option<Hint> {
    recent(lines, index).find_map(|(at, line)| {
        let start = line.chars().take_while(|c| " -".contains(*c)).count();
        let rest = line.trim_start_matches([' ', '-']);
        let (key, value) = rest.split_once(':')?;
        let word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let glued = word && value.starts_with(|c: char| !c.is_whitespace() && c != '/');
        let help = format!("write `{key}: {}`", value.trim());
        hint(at, start, "there is no space behind the colon", help).filter(|_| glued)
    })
}

/// `data_dir nodata`. What comes behind the key may be secret, and so may a word that stands alone.
fn no_colon(here: &str, index: usize, message: &str) -> Option<Hint> {
    let said = here.trim();
    let key: String = said.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    let rest = said.strip_prefix(key.as_str())?;
    let bare = message.contains("simple key expected") && !said.contains(": ") && !said.ends_with(':');
    let column = here.chars().take_while(|c| c.is_whitespace()).count();
    if rest.is_empty() {
        let help = "write one behind a key; indent a value that belongs to the line before";
        return hint(index, column, "a colon is missing here", help).filter(|_| bare);
    }
    let ends = rest.starts_with([' ', ';', '=', ',']);
    let what = format!("a colon is missing behind `{key}`");
    hint(index, column, what, format!("write `{key}: …`")).filter(|_| bare && ends && !key.is_empty())
}

/// `[**]`, `[%2F]`, `@name`: these begin something else in YAML.
fn needs_quotes(here: &str, index: usize, message: &str) -> Option<Hint> {
    let alias = message.contains("alias") || message.contains("anchor");
    let marks: &[char] = if alias { &['*', '&'] } else { &['%', '@', '`', '*', '&', '!', '|', '>'] };
    let letters: Vec<char> = here.chars().collect();
    let begins = |column: &usize| {
        let before = letters.get(..*column).unwrap_or_default().iter().rev().find(|c| !c.is_whitespace());
        before.is_some_and(|c| "[{,:-".contains(*c))
    };
    let starts = |column: &usize| letters.get(*column).is_some_and(|c| marks.contains(c));
    let column = (0..letters.len()).filter(starts).find(begins)?;
    let word: String = letters.iter().skip(column).take_while(|c| !",]} ".contains(**c)).collect();
    let mark = letters.get(column)?;
    let help = format!("put it in quotes: `\"{word}\"`");
    hint(index, column, format!("a value cannot begin with `{mark}`"), help)
}

/// `title: Panel: staging`.
fn colon_inside(here: &str, index: usize) -> Option<Hint> {
    let rest = here.trim_start_matches([' ', '-']);
    let (key, value) = rest.split_once(": ")?;
    let value = value.trim();
    let plain = !value.starts_with(['"', '\'', '[', '{']) && value.contains(": ");
    let column = here.chars().count() - rest.chars().count() + key.chars().count() + 2;
    let help = format!("put the value in quotes: `{key}: \"{value}\"`");
    hint(index, column, "a value with a colon and a space is read as another key", help).filter(|_| plain)
}

/// A key that is neither under the one before it nor beside it.
fn indentation(before: &[&str], here: &str, index: usize) -> Option<Hint> {
    let depth = |line: &str| line.chars().take_while(|c| " -".contains(*c)).count();
    let own = depth(here);
    let said = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let above = before.iter().rev().find(said)?;
    let beside = before.iter().rev().filter(said).any(|line| depth(line) == own);
    let spaces = |count: usize| if count == 1 { "1 space".to_owned() } else { format!("{count} spaces") };
    let what = format!("the line begins after {}, and no key above it does", spaces(own));
    let help = format!("begin it after {}, below the key before", spaces(depth(above)));
    let odd = !beside && own > 0 && own != depth(above) && !here.trim_start().starts_with('-');
    hint(index, own, what, help).filter(|_| odd)
}
