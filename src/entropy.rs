//! The only door to randomness. Pure code takes filled arrays as arguments.

use std::cell::RefCell;

/// A source of random bytes fit for secrets.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the whole of `into`.
    fn fill(&self, into: &mut [u8]);
}

impl dyn Entropy {
    /// A fresh random array.
    pub fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

/// What is not longer names something and protects nothing: every request has such a name, and asking the kernel for
/// each would cost more than judging it.
const NAME: usize = 8;
/// So many bytes for names are asked for at once.
const STOCK: usize = 512;

thread_local! {
    static NAMES: RefCell<Names> = const { RefCell::new(Names { stock: [0; STOCK], left: 0 }) };
}

/// Random bytes that nobody has seen yet.
struct Names {
    stock: [u8; STOCK],
    left: usize,
}

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the kernel cannot give random bytes: going on with predictable secrets would be worse.
    #[expect(clippy::expect_used, reason = "no secret may ever be made without entropy")]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the kernel for random bytes"
    )]
    fn fill(&self, into: &mut [u8]) {
        let ask = |into: &mut [u8]| getrandom::fill(into).expect("the kernel's random generator failed");
        if into.len() > NAME {
            return ask(into);
        }
        NAMES.with_borrow_mut(|names| {
            if names.left < into.len() {
                ask(&mut names.stock);
                names.left = STOCK;
            }
            let rest = names.left - into.len();
            let unseen = names.stock.get_mut(rest..names.left).unwrap_or_default();
            into.iter_mut().zip(unseen).for_each(|(to, from)| *to = std::mem::take(from));
            names.left = rest;
        });
    }
}

/// A predictable sequence, so that tests are repeatable.
#[cfg(test)]
#[derive(Debug)]
pub struct SeededEntropy(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl SeededEntropy {
    /// Starts the sequence at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(seed))
    }
}

#[cfg(test)]
impl Entropy for SeededEntropy {
    fn fill(&self, into: &mut [u8]) {
        for byte in into {
            // SplitMix64: short, and every seed gives a different sequence.
            let n = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, std::sync::atomic::Ordering::Relaxed);
            let mut z = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (z >> 56) as u8;
        }
    }
}
