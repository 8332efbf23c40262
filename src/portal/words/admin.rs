//! The pages of administrators.

use super::catalogue;

catalogue! {
    /// The pages of administrators.
    Words {}
    tab_users tab_all_sessions not_yours_title not_yours factor_first elevation_first
    filter filter_user search no_users no_sessions
    paging earlier later page total
    display mail role state active disabled second_factor set_up not_set_up sessions last_active never
    show_sessions done confirm leave
    oneself role_too_high nothing
    disable disable_title disable_effect
    enable enable_title enable_effect
    remove_factor remove_factor_title remove_factor_effect
    sign_out sign_out_title sign_out_effect
    change_role role_title role_effect new_role choose
}

pub(super) const EN: Words = Words {
    tab_users: "Users",
    tab_all_sessions: "All sessions",
    not_yours_title: "Not for your role",
    not_yours: "Only {roles} can use this page.",
    factor_first: "Set up your own second factor first.",
    elevation_first: "Verify it is you, then do it again.",
    filter: "Name, mail address or role",
    filter_user: "Of which user",
    search: "Search",
    no_users: "No account matches. You see the accounts of roles below your own.",
    no_sessions: "No session matches. You see the sessions of roles below your own.",
    paging: "Pages of the list",
    earlier: "Earlier",
    later: "More",
    page: "Page",
    total: "{n} in all",
    display: "Full name",
    mail: "Mail address",
    role: "Role",
    state: "State",
    active: "Active",
    disabled: "Disabled",
    second_factor: "Second factor",
    set_up: "Set up",
    not_set_up: "Not set up",
    sessions: "Sessions",
    last_active: "Last active",
    never: "Never",
    show_sessions: "Show the sessions",
    done: "Done. It counts from now on.",
    confirm: "You are about to change this account:",
    leave: "Leave it as it is",
    oneself: "This is your own account. Change it on its own pages; nothing here can lock you out.",
    role_too_high: "You can give roles below your own only.",
    nothing: "It is so already, so nothing was changed.",
    disable: "Disable",
    disable_title: "Disable {name}?",
    disable_effect: "The account is signed out everywhere at once and cannot sign in until it is enabled again. Nothing is deleted.",
    enable: "Enable",
    enable_title: "Enable {name}?",
    enable_effect: "The account can sign in again, with the password and the second factor that it had.",
    remove_factor: "Remove second factor",
    remove_factor_title: "Remove the second factor of {name}?",
    remove_factor_effect: "The app and all backup codes stop working. Whoever has the password can then sign in and set up another, so make sure that it was the owner who asked.",
    sign_out: "Sign out everywhere",
    sign_out_title: "Sign {name} out everywhere?",
    sign_out_effect: "Every session of the account ends at once, in every window. It can sign in again.",
    change_role: "Change role",
    role_title: "Change the role of {name}?",
    role_effect: "The new role counts at the very next click.",
    new_role: "New role",
    choose: "Choose one",
};

pub(super) const DE: Words = Words {
    tab_users: "Benutzer",
    tab_all_sessions: "Alle Sitzungen",
    not_yours_title: "Nicht für Ihre Rolle",
    not_yours: "Diese Seite ist nur für {roles}.",
    factor_first: "Richten Sie zuerst Ihren eigenen zweiten Faktor ein.",
    elevation_first: "Bestätigen Sie, dass Sie es sind, und versuchen Sie es dann noch einmal.",
    filter: "Name, Mailadresse oder Rolle",
    filter_user: "Von welchem Benutzer",
    search: "Suchen",
    no_users: "Kein Konto passt. Sie sehen die Konten von Rollen unter Ihrer eigenen.",
    no_sessions: "Keine Sitzung passt. Sie sehen die Sitzungen von Rollen unter Ihrer eigenen.",
    paging: "Seiten der Liste",
    earlier: "Zurück",
    later: "Weiter",
    page: "Seite",
    total: "{n} insgesamt",
    display: "Voller Name",
    mail: "Mailadresse",
    role: "Rolle",
    state: "Zustand",
    active: "Aktiv",
    disabled: "Gesperrt",
    second_factor: "Zweiter Faktor",
    set_up: "Eingerichtet",
    not_set_up: "Nicht eingerichtet",
    sessions: "Sitzungen",
    last_active: "Zuletzt aktiv",
    never: "Nie",
    show_sessions: "Sitzungen zeigen",
    done: "Erledigt. Es gilt ab sofort.",
    confirm: "Sie sind dabei, dieses Konto zu ändern:",
    leave: "So lassen",
    oneself: "Das ist Ihr eigenes Konto. Ändern Sie es auf dessen eigenen Seiten; hier kann Sie nichts aussperren.",
    role_too_high: "Sie können nur Rollen unter Ihrer eigenen vergeben.",
    nothing: "Es ist schon so, also wurde nichts geändert.",
    disable: "Sperren",
    disable_title: "{name} sperren?",
    disable_effect: "Das Konto wird sofort überall abgemeldet und kann sich nicht anmelden, bis es wieder freigegeben wird. Gelöscht wird nichts.",
    enable: "Freigeben",
    enable_title: "{name} freigeben?",
    enable_effect: "Das Konto kann sich wieder anmelden, mit dem Passwort und dem zweiten Faktor, die es hatte.",
    remove_factor: "Zweiten Faktor entfernen",
    remove_factor_title: "Den zweiten Faktor von {name} entfernen?",
    remove_factor_effect: "Die App und alle Ersatzcodes gelten nicht mehr. Wer das Passwort hat, kann sich dann anmelden und einen neuen einrichten: Vergewissern Sie sich, dass der Inhaber selbst darum gebeten hat.",
    sign_out: "Überall abmelden",
    sign_out_title: "{name} überall abmelden?",
    sign_out_effect: "Jede Sitzung des Kontos endet sofort, in jedem Fenster. Es kann sich wieder anmelden.",
    change_role: "Rolle ändern",
    role_title: "Die Rolle von {name} ändern?",
    role_effect: "Die neue Rolle gilt beim nächsten Klick.",
    new_role: "Neue Rolle",
    choose: "Bitte wählen",
};
