//! Sessions, devices, and notices of new sign-ins.

use super::catalogue;

catalogue! {
    /// Sessions, devices, and notices of new sign-ins.
    Words {}
    tab_sessions
    unknown_device unknown_place browser_on
    just_now minutes_ago hours_ago days_ago
    title lead this_device now last_active since
    device place address opened
    revoke revoke_title revoke_text revoke_effect revoke_own revoked keep
    others others_title others_text other_text others_effect others_revoked alone
    news_title news_text news_yes news_no news_known
    link_title link_text link_gone_title link_gone link_done_title link_done
    letter_subject letter_text
}

pub(super) const EN: Words = Words {
    tab_sessions: "Sessions",
    unknown_device: "Unknown device",
    unknown_place: "Unknown location",
    browser_on: "{browser} on {system}",
    just_now: "just now",
    minutes_ago: "{n} min ago",
    hours_ago: "{n} h ago",
    days_ago: "{n} days ago",
    title: "Sessions",
    lead: "Every browser and program that is signed in to your account. Revoke what you do not recognise, then change your password.",
    this_device: "This device",
    now: "active now",
    last_active: "Last active",
    since: "Signed in",
    device: "Device",
    place: "Location",
    address: "IP address",
    opened: "Signed in",
    revoke: "Revoke",
    revoke_title: "Revoke this session?",
    revoke_text: "You are about to sign out this device:",
    revoke_effect: "It is signed out at once, in every window.",
    revoke_own: "This is the device that you are using: you will have to sign in again.",
    revoked: "The session was revoked. That device is signed out.",
    keep: "Keep it",
    others: "Revoke all others",
    others_title: "Revoke all other sessions?",
    others_text: "{n} other devices are signed in to your account:",
    other_text: "One other device is signed in to your account:",
    others_effect: "They are signed out at once. This device stays signed in.",
    others_revoked: "All other sessions were revoked. Only this device is signed in.",
    alone: "No other device is signed in to your account.",
    news_title: "New sign-in",
    news_text: "{device}, {place}. Was it you?",
    news_yes: "Yes, it was me",
    news_no: "No, revoke it",
    news_known: "Thank you. That device is known now.",
    link_title: "Was this sign-in yours?",
    link_text: "Somebody signed in to the account {user} from here:",
    link_gone_title: "There is nothing left to revoke",
    link_gone: "That session has ended already, or the link is older than a day. If in doubt, sign in and change your password.",
    link_done_title: "The session was revoked",
    link_done: "That device is signed out. Whoever used it knows your password: sign in and change it now.",
    letter_subject: "New sign-in to {title}",
    letter_text: "Hello {user},\n\nyour account at {title} was just signed in to from a new device or country:\n\n    Device:      {device}\n    Location:    {place}\n    IP address:  {address}\n    Time:        {time}\n\nIf it was you, there is nothing to do.\n\nIf it was not, revoke that session here, no sign-in needed:\n\n{revoke}\n\nThe link works for one day and can do nothing else. Then sign in and change your password. All your sessions:\n\n{sessions}\n",
};

pub(super) const DE: Words = Words {
    tab_sessions: "Sitzungen",
    unknown_device: "Unbekanntes Gerät",
    unknown_place: "Unbekannter Ort",
    browser_on: "{browser} unter {system}",
    just_now: "gerade eben",
    minutes_ago: "vor {n} min",
    hours_ago: "vor {n} Std.",
    days_ago: "vor {n} Tagen",
    title: "Sitzungen",
    lead: "Alle Browser und Programme, die in Ihrem Konto angemeldet sind. Beenden Sie, was Sie nicht kennen, und ändern Sie dann Ihr Passwort.",
    this_device: "Dieses Gerät",
    now: "gerade aktiv",
    last_active: "Zuletzt aktiv",
    since: "Angemeldet",
    device: "Gerät",
    place: "Ort",
    address: "IP-Adresse",
    opened: "Angemeldet",
    revoke: "Beenden",
    revoke_title: "Diese Sitzung beenden?",
    revoke_text: "Sie sind dabei, dieses Gerät abzumelden:",
    revoke_effect: "Es wird sofort abgemeldet, in jedem Fenster.",
    revoke_own: "Das ist das Gerät, das Sie gerade benutzen: Sie müssen sich danach neu anmelden.",
    revoked: "Die Sitzung wurde beendet. Das Gerät ist abgemeldet.",
    keep: "Behalten",
    others: "Alle anderen beenden",
    others_title: "Alle anderen Sitzungen beenden?",
    others_text: "{n} andere Geräte sind in Ihrem Konto angemeldet:",
    other_text: "Ein anderes Gerät ist in Ihrem Konto angemeldet:",
    others_effect: "Sie werden sofort abgemeldet. Dieses Gerät bleibt angemeldet.",
    others_revoked: "Alle anderen Sitzungen wurden beendet. Nur dieses Gerät ist noch angemeldet.",
    alone: "Kein anderes Gerät ist in Ihrem Konto angemeldet.",
    news_title: "Neue Anmeldung",
    news_text: "{device}, {place}. Waren Sie das?",
    news_yes: "Ja, das war ich",
    news_no: "Nein, beenden",
    news_known: "Danke. Das Gerät ist jetzt bekannt.",
    link_title: "War das Ihre Anmeldung?",
    link_text: "Jemand hat sich von hier im Konto {user} angemeldet:",
    link_gone_title: "Es gibt nichts mehr zu beenden",
    link_gone: "Diese Sitzung ist schon zu Ende, oder der Link ist älter als ein Tag. Melden Sie sich im Zweifel an und ändern Sie Ihr Passwort.",
    link_done_title: "Die Sitzung wurde beendet",
    link_done: "Das Gerät ist abgemeldet. Wer es benutzt hat, kennt Ihr Passwort: Melden Sie sich an und ändern Sie es jetzt.",
    letter_subject: "Neue Anmeldung bei {title}",
    letter_text: "Hallo {user},\n\nin Ihrem Konto bei {title} hat sich gerade jemand von einem neuen Gerät oder aus einem neuen Land angemeldet:\n\n    Gerät:       {device}\n    Ort:         {place}\n    IP-Adresse:  {address}\n    Zeit:        {time}\n\nWenn Sie das waren, müssen Sie nichts tun.\n\nWenn nicht, beenden Sie diese Sitzung hier, ohne Anmeldung:\n\n{revoke}\n\nDer Link gilt einen Tag und kann sonst nichts. Melden Sie sich danach an und ändern Sie Ihr Passwort. Alle Ihre Sitzungen:\n\n{sessions}\n",
};
