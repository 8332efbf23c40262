use proptest::prelude::*;

use super::*;

#[test]
fn what_may_stand_in_a_path_or_a_name_stays_as_it_is() {
    assert_eq!(plain("/wp-login.php"), "/wp-login.php");
    assert_eq!(plain("carol+test@example.com"), "carol+test@example.com");
    assert_eq!(plain("a b\n\"=%\u{1b}[31mä"), "a%20b%0A%22%3D%25%1B%5B31m%C3%A4");
}

proptest! {
    #[test]
    fn whatever_it_is_it_stays_one_short_value(text in ".{0,400}|[ \n\r\0\u{1b}\"'=\\\\ä\u{2028}]{0,400}") {
        let plain = plain(&text);
        prop_assert!(plain.len() <= LONGEST + 2);
        prop_assert!(plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-@+%".contains(&byte)), "{plain}");
    }
}
