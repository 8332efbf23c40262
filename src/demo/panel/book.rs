//! What the sample panel knows: accounts, domains, settings and services, all in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::clock::{Clock, Wall};

/// How many lines the journal keeps.
const JOURNAL: usize = 12;

/// The panel's state, shared by all requests.
pub(crate) struct Harbor {
    pub(crate) clock: Arc<dyn Clock>,
    book: Mutex<Book>,
}

impl Harbor {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let book = Mutex::new(Book::sample(clock.wall()));
        Self { clock, book }
    }

    /// The state, for as long as the guard lives. Never held over an await.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that the pages show and the forms change.
pub(crate) struct Book {
    pub(crate) accounts: Vec<Account>,
    pub(crate) domains: Vec<Domain>,
    pub(crate) services: Vec<Service>,
    pub(crate) settings: Settings,
    /// Newest first.
    pub(crate) journal: VecDeque<Entry>,
    next_id: u32,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) plan: String,
    pub(crate) suspended: bool,
}

#[derive(Clone)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) runtime: String,
    /// Days until the certificate has to be renewed.
    pub(crate) certificate_days: u32,
    /// Visits on each of the last 14 days.
    pub(crate) visits: Vec<u32>,
}

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) since: Wall,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) server_name: String,
    pub(crate) contact: String,
    pub(crate) backups: String,
    pub(crate) updates: bool,
}

/// One line of the journal.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) at: Wall,
    pub(crate) who: String,
    pub(crate) what: String,
}

impl Book {
    /// Writes down what somebody did.
    pub(crate) fn note(&mut self, at: Wall, who: &str, what: String) {
        self.journal.push_front(Entry { at, who: who.to_owned(), what });
        self.journal.truncate(JOURNAL);
    }

    /// Adds an account and gives its number.
    pub(crate) fn add_account(&mut self, name: String, email: String, plan: String) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        self.accounts.push(Account { id, name, email, plan, suspended: false });
        id
    }

    pub(crate) fn account(&mut self, id: u32) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    fn sample(now: Wall) -> Self {
        let mut book = Self {
            accounts: Vec::new(),
            domains: sample_domains(),
            services: sample_services(now),
            settings: Settings {
                server_name: "harbor-1.example.net".to_owned(),
                contact: "ops@example.net".to_owned(),
                backups: "daily".to_owned(),
                updates: true,
            },
            journal: VecDeque::new(),
            next_id: 1,
        };
        for (name, email, plan) in [
            ("Ada Lindqvist", "ada@lindqvist.example", "Business"),
            ("Bengt Olsson", "bengt@olsson.example", "Starter"),
            ("Chiara Romano", "chiara@romano.example", "Business"),
            ("Deniz Kaya", "deniz@kaya.example", "Starter"),
            ("Elif Demir", "elif@demir.example", "Reseller"),
            ("Femi Adeyemi", "femi@adeyemi.example", "Starter"),
            ("Grace Murray", "grace@murray.example", "Business"),
        ] {
            book.add_account(name.to_owned(), email.to_owned(), plan.to_owned());
        }
        book.note(now, "harbor", "Panel started".to_owned());
        book
    }
}

fn sample_domains() -> Vec<Domain> {
    let rows = [
        ("lindqvist.example", "Ada Lindqvist", "PHP 8.4", 71, 410),
        ("olsson-bygg.example", "Bengt Olsson", "Static", 12, 96),
        ("romano-vini.example", "Chiara Romano", "PHP 8.3", 54, 730),
        ("kaya.example", "Deniz Kaya", "Node 24", 88, 155),
        ("demir-hosting.example", "Elif Demir", "PHP 8.4", 33, 520),
    ];
    rows.into_iter()
        .map(|(name, owner, runtime, certificate_days, base)| Domain {
            name: name.to_owned(),
            owner: owner.to_owned(),
            runtime: runtime.to_owned(),
            certificate_days,
            visits: super::charts::series(base, 14),
        })
        .collect()
}

fn sample_services(now: Wall) -> Vec<Service> {
    [
        ("nginx", "web server"),
        ("php-fpm", "application runtime"),
        ("mariadb", "databases"),
        ("postfix", "outgoing mail"),
        ("dovecot", "mailboxes"),
    ]
    .map(|(name, purpose)| Service { name, purpose, since: now })
    .into()
}
