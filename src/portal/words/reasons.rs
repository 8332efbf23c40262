//! Reasons in words, for administrators.

use crate::rules::reason::Reason;

/// One sentence in a language; English if there is none in that language.
pub(crate) fn sentence(lang: &str, reason: Reason) -> &'static str {
    if lang == "de" { german(reason) } else { reason.sentence() }
}

const fn german(reason: Reason) -> &'static str {
    match reason {
        Reason::RoleAllows => "Die Rolle hat, was die Anfrage braucht.",
        Reason::ElevatedAllows => "Die Rolle hat es, weil die Sitzung den zweiten Faktor bestätigt hat.",
        Reason::RelaxedAllows => "Die Rolle hat es sofort, weil der Modus Hohe Sicherheit aus ist.",
        Reason::KeyAllows => "Der Scope des API-Schlüssels und die Rolle seines Besitzers erlauben es.",
        Reason::Anonymous => "Die Seite steht jedem offen.",
        Reason::Portal => "Es ist eine der eigenen Seiten des Tors, die eigene Regeln haben.",
        Reason::NoCredential => "Niemand war angemeldet: Die Anfrage kam ohne Nachweis.",
        Reason::AccessExpired => "Das Zugangs-Token war abgelaufen; die Sitzung konnte erneuert werden.",
        Reason::BadCredential => "Der mitgeschickte Nachweis ist nicht gültig.",
        Reason::ConflictingCredentials => "Die Anfrage kam mit Nachweisen, die sich widersprechen.",
        Reason::SessionEnded => "Die Sitzung war abgemeldet oder widerrufen, oder sie ist unbekannt.",
        Reason::SessionExpired => "Die Sitzung war zu lange unbenutzt oder am Ende ihrer Zeit.",
        Reason::SecondFactorPending => "Die Anmeldung war nicht vollständig: Ihr zweiter Schritt fehlte.",
        Reason::NeedsElevation => {
            "Die Seite öffnet sich oder lässt sich ändern erst nach dem zweiten Faktor."
        }
        Reason::NeedsEnrolment => "Die Rolle muss einen zweiten Faktor einrichten, bevor sich etwas öffnet.",
        Reason::RoleLacksAccess => {
            "Die Rolle hat diesen Zugriff nicht, weder vor noch nach dem zweiten Faktor."
        }
        Reason::NoPage => "Keine Seite der Richtlinie hat den Pfad, und die Vorgabe gibt zu wenig.",
        Reason::UnknownRole => "Die Richtlinie kennt die Rolle des Kontos nicht.",
        Reason::KeyLacksScope => "Der API-Schlüssel hat den Scope nicht, den die Seite verlangt.",
        Reason::KeyExpired => "Der API-Schlüssel war abgelaufen.",
        Reason::ImpersonationReadOnly => "Die Vertretung war nur zum Ansehen.",
        Reason::ImpersonationOver => "Die Vertretung war vorbei und nicht verlassen.",
        Reason::OutsideNetworks => "Die Seite ist nur für Netze, in denen der Client nicht sicher war.",
        Reason::OutsideCountries => "Die Seite ist nur für Länder, in denen der Client nicht sicher war.",
        Reason::OutsideHours => "Die Seite ist nur für andere Zeiten.",
        Reason::MethodNotAllowed => "Die Seite ist nur für andere Methoden.",
        Reason::AccountDisabled => "Das Konto ist abgeschaltet.",
        Reason::ForeignOrigin => "Der WebSocket kam von einer Seite einer anderen Website.",
        Reason::UnknownHost => "Keine Website hat diesen Host.",
        Reason::AmbiguousTarget => {
            "Der Pfad lässt sich auf zwei Arten lesen, und die Seite erlaubt das nicht."
        }
        Reason::Malformed => "Die Anfrage war nicht zu verstehen.",
        Reason::RateLimited => "Zu viele Anfragen kamen aus dem Netz des Clients.",
        Reason::Banned => "Das Netz des Clients ist gesperrt.",
        Reason::Trap => "Danach fragen nur Programme, die nach Lücken suchen.",
        Reason::PageLimit => "Das Kontingent der Seite war verbraucht.",
        Reason::AuditUnavailable => {
            "Es muss protokolliert werden, und das Protokoll war nicht zu schreiben, deshalb blieb das Tor zu."
        }
        Reason::StoreUnavailable => "Der Speicher des Tors war nicht zu fragen, deshalb blieb es zu.",
        Reason::UpstreamUnreachable => "Es war erlaubt, und das Panel war nicht zu erreichen.",
        Reason::UpstreamTimeout => "Es war erlaubt, und das Panel antwortete nicht rechtzeitig.",
        Reason::PageUnmarkable => {
            "Das Panel schickte eine Seite, die keinen Hinweis auf eine Vertretung tragen kann."
        }
    }
}
