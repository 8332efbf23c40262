//! The audit trail.

use super::catalogue;

catalogue! {
    /// The audit trail.
    Words {}
    tab intro intro_site user event event_hint client client_hint since since_hint text search clear
    none who from number newer older bad_since bad_client
}

pub(super) const EN: Words = Words {
    tab: "Audit",
    intro: "Everything that has to be accounted for, newest first. The records are chained; panelgate audit verify on the server shows whether one was changed.",
    intro_site: "You see the records of this site.",
    user: "User",
    event: "Event",
    event_hint: "Such as sign-in-failed; session-* finds all that begin so.",
    client: "From",
    client_hint: "An address or a network.",
    since: "Within the last",
    since_hint: "Such as 24h or 7d.",
    text: "Text",
    search: "Search",
    clear: "Show everything",
    none: "No record matches.",
    who: "Who",
    from: "From",
    number: "No.",
    newer: "Newest",
    older: "Older",
    bad_since: "Write a duration such as 24h or 7d.",
    bad_client: "This is neither an address nor a network.",
};

pub(super) const DE: Words = Words {
    tab: "Protokoll",
    intro: "Alles, was belegt sein muss, das Neueste zuerst. Die Einträge sind verkettet; panelgate audit verify auf dem Server zeigt, ob einer verändert wurde.",
    intro_site: "Sie sehen die Einträge dieser Site.",
    user: "Benutzer",
    event: "Ereignis",
    event_hint: "Zum Beispiel sign-in-failed; session-* findet alles, was so beginnt.",
    client: "Von",
    client_hint: "Eine Adresse oder ein Netz.",
    since: "In den letzten",
    since_hint: "Zum Beispiel 24h oder 7d.",
    text: "Text",
    search: "Suchen",
    clear: "Alles zeigen",
    none: "Kein Eintrag passt.",
    who: "Wer",
    from: "Von",
    number: "Nr.",
    newer: "Neueste",
    older: "Ältere",
    bad_since: "Schreiben Sie eine Dauer wie 24h oder 7d.",
    bad_client: "Das ist weder eine Adresse noch ein Netz.",
};
