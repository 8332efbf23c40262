//! Reading the name of a decision as people type it.

use crate::rules::outcome::DecisionId;

impl DecisionId {
    /// Reads `7K3F-92QD` in any case, with or without the dash and with white space; O is taken for 0, I and L for 1
    /// (Crockford's base 32). `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.trim().chars().filter(|c| *c != '-' && !c.is_whitespace());
        let (mut bits, mut count) = (0_u64, 0);
        for letter in letters {
            bits = (bits << 5) | digit(letter.to_ascii_uppercase())?;
            count += 1;
            if count > 8 {
                return None;
            }
        }
        let bytes = bits.to_be_bytes();
        let name = bytes.last_chunk().filter(|_| count == 8)?;
        Some(Self(*name))
    }
}

fn digit(letter: char) -> Option<u64> {
    let letter = match letter {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        .chars()
        .zip(0..)
        .find_map(|(known, value)| (known == letter).then_some(value))
}
