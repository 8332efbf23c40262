use std::time::Duration;

use super::{BadQuota, Quota};

fn parts(text: &str) -> (u32, u64) {
    let quota = Quota::parse(text).unwrap();
    (quota.count.get(), quota.per.as_secs())
}

#[test]
fn quotas_are_written_as_people_say_them() {
    assert_eq!(parts("600/min"), (600, 60));
    assert_eq!(parts("5/15m"), (5, 900));
    assert_eq!(parts("100/s"), (100, 1));
    assert_eq!(parts(" 30 / 2 hours "), (30, 7200));
    assert_eq!(parts("1/7d"), (1, 604_800));
}

#[test]
fn every_mistake_is_named() {
    for text in ["600", "", "600 per minute"] {
        assert_eq!(Quota::parse(text), Err(BadQuota::Form(text.into())));
    }
    for count in ["0", "-5", "+5", "1.5", "", "1000001", "99999999999"] {
        assert_eq!(Quota::parse(&format!("{count}/min")), Err(BadQuota::Count(count.into())));
    }
    for time in ["", "0m", "fortnight", "8d", "m/s", "9999999999s", "1.5h", "-1m"] {
        assert_eq!(Quota::parse(&format!("5/{time}")), Err(BadQuota::Time(time.into())));
    }
}

#[test]
fn a_quota_is_shown_in_the_form_that_is_read() {
    for text in ["600/min", "5/15min", "100/s", "90/90s", "1/d", "2/7d", "30/2h"] {
        assert_eq!(Quota::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Quota::parse("5/900s").unwrap().per, Duration::from_secs(900));
}
