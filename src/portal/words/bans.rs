//! Bans.

use super::catalogue;

catalogue! {
    /// Bans.
    Words {}
    refused_title refused
    tab intro whom whom_hint filter none_match blind reason reason_hint lasts lasts_hint add added lifted
    lift lift_title lift_text lift_effect keep
    none banned_by since until ever over over_title
    own_title own bad_lasts
    unreadable too_wide no_country no_asn spared_self spared_proxy spared_allow bad_reason not_banned
}

pub(super) const EN: Words = Words {
    refused_title: "No service from here",
    refused: "Requests from your network address are not answered for now. If you think that is a mistake, tell the operator of this site and give the decision number below.",
    tab: "Bans",
    intro: "Nobody is served from where a ban counts: connections are closed before anything is said, and open ones are cut. It counts for the whole installation.",
    whom: "Whom",
    whom_hint: "An address or a network, such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/48; a country, such as country:DE; or an autonomous system, such as asn:64500. A single IPv6 address stands for its /64.",
    filter: "Find by address, reason or who banned",
    none_match: "No ban matches.",
    blind: "Reaches nobody: no database says who that is",
    reason: "Reason",
    reason_hint: "For whoever looks at this list next.",
    lasts: "For how long",
    lasts_hint: "Such as 2h, 1d12h or 30d. Leave it empty to ban until it is lifted.",
    add: "Ban",
    added: "Banned. It counts from now on.",
    lifted: "The ban is lifted.",
    lift: "Lift the ban",
    lift_title: "Lift the ban of {whom}?",
    lift_text: "You are about to lift this ban:",
    lift_effect: "Requests from there are answered again at once.",
    keep: "Keep the ban",
    none: "Nobody is banned.",
    banned_by: "Banned by",
    since: "Since",
    until: "Until",
    ever: "Until it is lifted",
    over: "Over",
    over_title: "Over within the last day",
    own_title: "This would shut you out yourself",
    own: "You are at {address}, which is in {whom}. If you mean it, send the form again; only the command line on the server can then let you in.",
    bad_lasts: "Write a duration such as 2h or 30d.",
    unreadable: "This is neither an address nor a network, and no country:DE or asn:64500 either.",
    no_country: "This is no country. Write the two letters of ISO 3166-1, such as country:DE.",
    no_asn: "This is no number of an autonomous system. Write it like asn:64500.",
    too_wide: "This network is too wide. A typing mistake could shut everybody out; close the port in the firewall instead.",
    spared_self: "This is the server itself, which cannot be banned.",
    spared_proxy: "This is a proxy that the configuration trusts. Banning it would shut everybody out.",
    spared_allow: "The configuration always lets this network in (bans.allow).",
    bad_reason: "The reason is one line of at most 200 characters.",
    not_banned: "There is no such ban any more.",
};

pub(super) const DE: Words = Words {
    refused_title: "Von hier aus kein Zugang",
    refused: "Anfragen von Ihrer Netzadresse werden zur Zeit nicht beantwortet. Wenn Sie das für einen Irrtum halten, wenden Sie sich an den Betreiber und nennen Sie ihm die Nummer unten.",
    tab: "Sperren",
    intro: "Von dort, wo eine Sperre gilt, wird niemand bedient: Verbindungen werden geschlossen, bevor etwas gesagt ist, und offene werden getrennt. Das gilt für die ganze Installation.",
    whom: "Wen",
    whom_hint: "Eine Adresse oder ein Netz, zum Beispiel 203.0.113.7, 203.0.113.0/24 oder 2001:db8::/48; ein Land, zum Beispiel country:DE; oder ein autonomes System, zum Beispiel asn:64500. Eine einzelne IPv6-Adresse steht für ihr /64.",
    filter: "Suchen nach Adresse, Grund oder wer gesperrt hat",
    none_match: "Keine Sperre passt dazu.",
    blind: "Trifft niemanden: keine Datenbank sagt, wer das ist",
    reason: "Grund",
    reason_hint: "Für alle, die diese Liste später lesen.",
    lasts: "Wie lange",
    lasts_hint: "Zum Beispiel 2h, 1d12h oder 30d. Leer heißt: bis die Sperre aufgehoben wird.",
    add: "Sperren",
    added: "Gesperrt. Es gilt ab sofort.",
    lifted: "Die Sperre ist aufgehoben.",
    lift: "Sperre aufheben",
    lift_title: "Sperre von {whom} aufheben?",
    lift_text: "Sie sind dabei, diese Sperre aufzuheben:",
    lift_effect: "Anfragen von dort werden sofort wieder beantwortet.",
    keep: "Sperre behalten",
    none: "Niemand ist gesperrt.",
    banned_by: "Gesperrt von",
    since: "Seit",
    until: "Bis",
    ever: "Bis zur Aufhebung",
    over: "Vorbei",
    over_title: "Seit weniger als einem Tag vorbei",
    own_title: "Damit sperren Sie sich selbst aus",
    own: "Sie kommen von {address}, und das liegt in {whom}. Wenn Sie es so wollen, schicken Sie das Formular noch einmal ab; danach lässt Sie nur die Befehlszeile auf dem Server wieder herein.",
    bad_lasts: "Schreiben Sie eine Dauer wie 2h oder 30d.",
    unreadable: "Das ist weder eine Adresse noch ein Netz und auch kein country:DE oder asn:64500.",
    no_country: "Das ist kein Land. Schreiben Sie die zwei Buchstaben nach ISO 3166-1, zum Beispiel country:DE.",
    no_asn: "Das ist keine Nummer eines autonomen Systems. Schreiben Sie sie wie asn:64500.",
    too_wide: "Dieses Netz ist zu groß. Ein Tippfehler könnte alle aussperren; schließen Sie stattdessen den Port in der Firewall.",
    spared_self: "Das ist der Server selbst; er kann nicht gesperrt werden.",
    spared_proxy: "Das ist ein Proxy, dem die Konfiguration vertraut. Eine Sperre würde alle aussperren.",
    spared_allow: "Die Konfiguration lässt dieses Netz immer herein (bans.allow).",
    bad_reason: "Der Grund ist eine Zeile von höchstens 200 Zeichen.",
    not_banned: "Diese Sperre gibt es nicht mehr.",
};
