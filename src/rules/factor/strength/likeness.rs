//! Whether a password is made of a name.

/// What must be left of a password without the name, in characters.
const REST: usize = 8;

/// Whether little is left of a password without the name, however it is spelled.
pub(super) fn is_mostly(password: &str, name: &str) -> bool {
    let (password, name) = (plain(password), plain(name));
    let backwards: String = name.chars().rev().collect();
    let length = password.chars().count();
    let without = |name: &str| length.saturating_sub(name.chars().count() * password.matches(name).count());
    !name.is_empty()
        && [&name, &backwards].iter().any(|name| password.contains(*name) && without(name) < REST)
}

/// Whether the name is anywhere in a password, however it is spelled.
pub(super) fn mentions(password: &str, name: &str) -> bool {
    let name = plain(name);
    !name.is_empty() && plain(password).contains(&name)
}

/// In lower case, with signs that stand for letters read as those letters, and without what is neither.
fn plain(text: &str) -> String {
    let lower = text.chars().flat_map(char::to_lowercase);
    let letters = lower.map(|c| match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' | '|' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' => 't',
        other => other,
    });
    letters.filter(|c| c.is_alphanumeric()).collect()
}
