//! Failed attempts.

use super::catalogue;

catalogue! {
    /// Failed attempts.
    Words {}
    tab intro views by_network by_account by_country by_system none
    passwords codes credentials traps towards bans
    last since from networks unknown nobody no_places no_systems
    banned banned_until spared ban trail
}

pub(super) const EN: Words = Words {
    tab: "Failed attempts",
    intro: "Wrong passwords and codes of the last 30 days, and what the newest refusals say of credentials that do not verify and of traps.",
    views: "Ways of looking at it",
    by_network: "By network",
    by_account: "By account",
    by_country: "By country",
    by_system: "By autonomous system",
    none: "Nothing has failed.",
    passwords: "{n} wrong passwords",
    codes: "{n} wrong codes",
    credentials: "{n} bad credentials",
    traps: "{n} traps",
    towards: "{n} of {most} before it is banned",
    bans: "banned {n} times lately",
    last: "Last",
    since: "since",
    from: "From {networks}",
    networks: "{n} networks",
    unknown: "Unknown",
    nobody: "Besides, {n} attempts at {names} names that are no accounts.",
    no_places: "No database says in which country an address is: `geoip.city` names one.",
    no_systems: "No database says to which autonomous system an address belongs: `geoip.asn` names one.",
    banned: "{whom} is banned",
    banned_until: "{whom} is banned until {time}",
    spared: "Cannot be banned",
    ban: "Ban",
    trail: "Audit trail",
};

pub(super) const DE: Words = Words {
    tab: "Fehlversuche",
    intro: "Falsche Passwörter und Codes der letzten 30 Tage, und was die jüngsten Ablehnungen über ungültige Anmeldedaten und Fallen sagen.",
    views: "Ansichten",
    by_network: "Nach Netz",
    by_account: "Nach Konto",
    by_country: "Nach Land",
    by_system: "Nach autonomem System",
    none: "Es ist nichts fehlgeschlagen.",
    passwords: "{n} falsche Passwörter",
    codes: "{n} falsche Codes",
    credentials: "{n} ungültige Anmeldedaten",
    traps: "{n} Fallen",
    towards: "{n} von {most} bis zur Sperre",
    bans: "in letzter Zeit {n}-mal gesperrt",
    last: "Zuletzt",
    since: "seit",
    from: "Von {networks}",
    networks: "{n} Netze",
    unknown: "Unbekannt",
    nobody: "Außerdem {n} Versuche an {names} Namen, die keine Konten sind.",
    no_places: "Keine Datenbank sagt, in welchem Land eine Adresse ist: `geoip.city` nennt eine.",
    no_systems: "Keine Datenbank sagt, zu welchem autonomen System eine Adresse gehört: `geoip.asn` nennt eine.",
    banned: "{whom} ist gesperrt",
    banned_until: "{whom} ist bis {time} gesperrt",
    spared: "Kann nicht gesperrt werden",
    ban: "Sperren",
    trail: "Audit-Protokoll",
};
