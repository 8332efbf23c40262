//! An authenticator app: RFC 6238 from its own text, not from the program that is tested.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use panelgate::clock::{Clock as _, SystemClock};

const STEP_MS: u64 = 30_000;

/// The secret of one account, and the last step whose code was used.
#[derive(Clone, Debug)]
pub(crate) struct App {
    secret: Vec<u8>,
    used: u64,
}

impl App {
    /// From the key that a person types: Base32, with spaces and in any case.
    pub(crate) fn new(key: &str) -> Self {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        let secret = BASE32_NOPAD.decode(key.to_ascii_uppercase().as_bytes());
        Self { secret: secret.expect("the key is Base32"), used: 0 }
    }

    /// A code that is accepted now and was not used yet. Three come at once (the previous step, this one, the next);
    /// then it waits as a person would.
    pub(crate) async fn code(&mut self) -> String {
        loop {
            let (step, left) = now();
            // One that goes stale in a moment would make the test depend on the time of day.
            let oldest = if left < 4_000 { step } else { step - 1 };
            let next = oldest.max(self.used + 1);
            if next <= step + 1 {
                self.used = next;
                return self.at(next);
            }
            tokio::time::sleep(std::time::Duration::from_millis(left + 50)).await;
        }
    }

    /// The code of a step relative to the present one.
    pub(crate) fn step(&mut self, offset: i64) -> String {
        let step = now().0.saturating_add_signed(offset);
        self.used = self.used.max(step);
        self.at(step)
    }

    /// Waits until at least 8 s of the present step are left.
    pub(crate) async fn settle() {
        let (_, left) = now();
        if left < 8_000 {
            tokio::time::sleep(std::time::Duration::from_millis(left + 50)).await;
        }
    }

    fn at(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }
}

/// The present step, and the milliseconds that are left of it.
fn now() -> (u64, u64) {
    let now = SystemClock::new().wall().millis();
    (now / STEP_MS, STEP_MS - now % STEP_MS)
}

#[test]
fn the_app_shows_the_codes_of_the_rfc() {
    let app = App::new("GEZD GNBV GY3T QOJQ gezd gnbv gy3t qojq");
    let expected = [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")];
    for (second, code) in expected {
        assert_eq!(app.at(second / 30), code, "RFC 6238, appendix B, at {second} s");
    }
}
