//! What very many clients and names leave in memory.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, StreamExt as _, future::join_all};
use panelgate::{
    clock::{Moment, Wall},
    live::{Class, Live, Quotas, Snapshot},
    rules::{
        address::NetworkKey,
        api_key::KeyId,
        failures::{Failure, Kind, Subject},
        identity::{UserId, UserName},
        limit::Quota,
        seal::Sealer,
    },
    store::{Cursor, RedbStore, Store},
};
use panelgate_bench::{
    Outcome,
    report::{Section, Target, number},
    rounds::Figure,
};
use serde::{Deserialize, Serialize};

use crate::Ground;

const ADDRESSES: u32 = 10_000_000;
const NAMES: u32 = 1_000_000;
/// Failures that are on their way to the store at once, so that they share its commits.
const TOGETHER: u32 = 2_000;
/// What docs/limits.md states.
const BOUND_MIB: f64 = 320.0;
const NOW: Wall = Wall::from_secs(1_800_000_000);
const CLASSES: [Class; 5] =
    [Class::Request, Class::SignIn, Class::SecondFactor, Class::Refresh, Class::Portal];

/// What the process that counts says.
#[derive(Serialize, Deserialize)]
struct Counted {
    /// MiB in memory, and after what.
    resident: Vec<(String, f64)>,
    refused: u64,
    names_kept: usize,
    nanoseconds_a_charge: f64,
}

/// Ten million addresses and a million names, in a process of its own.
pub(crate) fn memory(ground: &mut Ground) -> Outcome<()> {
    let said = format!("{BOUND_MIB} MiB");
    if !include_str!("../../../docs/limits.md").contains(&said) {
        return Err(format!("docs/limits.md does not state {said}").into());
    }
    let folder = ground.dir().join("memory");
    fs::create_dir_all(&folder)?;
    let counting = Command::new(&ground.this).arg("memory").arg(&folder).output()?;
    if !counting.status.success() {
        return Err(String::from_utf8_lossy(&counting.stderr).into_owned().into());
    }
    let counted: Counted = serde_json::from_slice(&counting.stdout)?;
    let at = |end: Option<&(String, f64)>| end.map_or(f64::NAN, |(_, resident)| *resident);
    let grown = at(counted.resident.last()) - at(counted.resident.first());
    let what = "memory after 10,000,000 addresses and 1,000,000 names";
    let note = format!(
        "half of them IPv6, each of a /48 of its own; {} charges refused in coarse buckets; {} names kept; {} ns a charge",
        number(counted.refused as f64),
        number(counted.names_kept as f64),
        number(counted.nanoseconds_a_charge)
    );
    ground.row(what, Target::AtMost(BOUND_MIB), Figure::of([grown]), " MiB", note);
    ground.report.sections.push(Section {
        title: "Memory of counters".to_owned(),
        text: "One process with the counters of the gate and its store, in which nothing is forgotten meanwhile.".to_owned(),
        head: ["after", "MiB in memory"].map(str::to_owned).to_vec(),
        lines: counted.resident.into_iter().map(|(after, mib)| vec![after, number(mib)]).collect(),
        pictures: Vec::new(),
    });
    Ok(())
}

/// Counts, and prints what that took.
pub(crate) fn count(folder: &Path) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let counted = runtime.block_on(counted(folder))?;
    println!("{}", serde_json::to_string(&counted)?);
    Ok(())
}

async fn counted(folder: &Path) -> Outcome<Counted> {
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&folder.join("panelgate.redb"))?);
    // So slow that no bucket is full again before the end.
    let quota = Quota { count: NonZeroU32::MIN.saturating_add(19), per: Duration::from_secs(7 * 86_400) };
    let live = Live::new(Snapshot::default(), Quotas::all(quota));
    let mut resident = vec![("the start".to_owned(), memory_mib("VmRSS:")?)];
    let (addresses, names) = (number(f64::from(ADDRESSES)), number(f64::from(NAMES)));
    let begin = Instant::now();
    let mut refused = charge_addresses(&live);
    let nanoseconds_a_charge =
        begin.elapsed().as_nanos() as f64 / f64::from(ADDRESSES) / CLASSES.len() as f64;
    resident.push((
        format!("{addresses} addresses, each in the {} classes by network", CLASSES.len()),
        memory_mib("VmRSS:")?,
    ));
    refused += charge_accounts(&live);
    resident.push((format!("{names} accounts and as many API keys"), memory_mib("VmRSS:")?));
    fail_names(&live, &store).await?;
    resident.push((format!("failures at {names} names from as many addresses"), memory_mib("VmRSS:")?));
    resident.push(("everything, at the highest point".to_owned(), memory_mib("VmHWM:")?));
    let names_kept = live.records.failures().all().len();
    store.close().await?;
    Ok(Counted { resident, refused, names_kept, nanoseconds_a_charge })
}

fn charge_addresses(live: &Live) -> u64 {
    let mut refused = 0;
    for n in 0..ADDRESSES {
        let at = Moment { wall: NOW, mono: Duration::from_micros(u64::from(n)) };
        for class in CLASSES {
            refused += u64::from(live.counters.charge(network(n), class, at).is_err());
        }
    }
    refused
}

fn charge_accounts(live: &Live) -> u64 {
    let mut refused = 0;
    for n in 0..NAMES {
        let at = Moment { wall: NOW, mono: Duration::from_secs(20) };
        // As random as real ones.
        let id = u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
        refused += u64::from(live.counters.charge_account(UserId(id), at).is_err());
        let key: [u8; 32] = std::array::from_fn(|at| id[at % id.len()]);
        refused += u64::from(live.counters.charge_key(KeyId(key), at).is_err());
    }
    refused
}

async fn fail_names(live: &Live, store: &Arc<dyn Store>) -> Outcome<()> {
    let (keys, rules) = (Sealer::new([7; 32]), Arc::clone(&live.snapshot().lockout));
    let mut changes = store.changes(Cursor::default()).await?;
    for first in (0..NAMES).step_by(TOGETHER as usize) {
        let failing = (first..first + TOGETHER).map(|n| {
            let name = UserName::parse(&format!("user-{n}")).map(|name| Subject::name(&keys, &name));
            let failure = Failure {
                guessed: name.ok().map(|name| (name, Kind::Password)),
                network: network(n),
                bannable: true,
                count: 1,
                at: NOW.plus(Duration::from_secs(u64::from(n / 100))),
            };
            store.fail(failure, Arc::clone(&rules))
        });
        join_all(failing).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        while let Some(Some((cursor, change))) = changes.next().now_or_never() {
            live.records.apply(cursor, change);
        }
    }
    Ok(())
}

/// Every second one is an IPv6 address, in a /64 and a /48 of its own.
fn network(n: u32) -> NetworkKey {
    let ip = if n % 2 == 0 {
        IpAddr::V4(Ipv4Addr::from_bits(0x0B00_0000 + n / 2))
    } else {
        let [a, b, c, d] = (0x2001_0000 + n / 2).to_be_bytes().map(u16::from);
        IpAddr::V6(Ipv6Addr::new(0x2600 | a, b << 8 | c, d << 8 | 7, d, 0, 0, 0, 1))
    };
    NetworkKey::of(ip)
}

fn memory_mib(which: &str) -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(which)).ok_or("the kernel does not say")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}
