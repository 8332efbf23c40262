//! A verdict in words: the same for the meter, the form and the call.

use serde_json::{Value, json};

use crate::{
    portal::words::{AccountWords, fill},
    rules::factor::strength::{Remark, Strength, Verdict},
};

/// The grade and the reasons, as a sentence, with advice where it helps.
pub(in crate::portal::account) fn say(words: &AccountWords, verdict: &Verdict) -> String {
    let grade = match verdict.strength {
        Strength::Weak => words.weak,
        Strength::Medium => words.medium,
        Strength::Strong => words.strong,
    };
    let reasons: Vec<String> = verdict.remarks.iter().map(|remark| because(words, *remark)).collect();
    let graded = if reasons.is_empty() {
        format!("{grade}.")
    } else {
        fill(words.graded, &[("grade", grade), ("why", &reasons.join(", "))])
    };
    match verdict.strength {
        Strength::Weak => format!("{graded} {}", words.advice),
        Strength::Medium => format!("{graded} {}", words.better),
        Strength::Strong => graded,
    }
}

/// For a script.
pub(in crate::portal::account) fn describe(words: &AccountWords, verdict: &Verdict) -> Vec<(String, Value)> {
    let reason = |remark: &Remark| json!({ "code": remark.code(), "text": because(words, *remark) });
    let reasons: Vec<Value> = verdict.remarks.iter().map(reason).collect();
    vec![
        ("strength".into(), verdict.strength.as_str().into()),
        ("accepted".into(), verdict.accepted.into()),
        ("reasons".into(), reasons.into()),
        ("text".into(), say(words, verdict).into()),
    ]
}

fn because(words: &AccountWords, remark: Remark) -> String {
    let pattern = match remark {
        Remark::Empty => words.because_empty,
        Remark::TooShort(shortest) => {
            return fill(words.because_short, &[("n", &shortest.to_string())]);
        }
        Remark::TooLong => words.because_long,
        Remark::Nul => words.because_nul,
        Remark::Common => words.because_common,
        Remark::NameLike => words.because_name_like,
        Remark::Same => words.because_same,
        Remark::ContainsName => words.because_contains_name,
        Remark::LikeCommon => words.because_like_common,
        Remark::Names => words.because_names,
        Remark::Keyboard => words.because_keyboard,
        Remark::Repeats => words.because_repeats,
        Remark::Sequence => words.because_sequence,
        Remark::Date => words.because_date,
        Remark::Guessable => words.because_guessable,
    };
    pattern.to_owned()
}
