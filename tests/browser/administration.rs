//! What administrators look at and do: overview, decisions, bans, the audit trail and the policy.

use super::{acting::verified, signing_in::signed_in, tab::Tab, world::World};

/// A candidate for the demo's policy: resellers lose their look at users, and root is asked for the second factor first.
const CANDIDATE: &str = "version: 1
roles: [root, admin, reseller, user]
pages:
  - name: dashboard
    paths: [\"/\", \"/assets/**\", \"/domains/**\", \"/echo/**\", \"/identity\"]
    access: { root: full, admin: full, reseller: full, user: full }
  - name: user-management
    paths: [\"/users/**\"]
    when: { networks: [127.0.0.0/8], hours: \"daily 00:00-24:00 UTC\" }
    limit: 30/min per session
    access:
      root: { unelevated: none, elevated: full }
      admin: { unelevated: none, elevated: full, lasts: 5m }
";

/// The name of the decision that a page ends with.
async fn decision(tab: &Tab) -> String {
    let id = tab.evaluate("document.querySelector('.decision code').textContent").await;
    id.as_str().expect("a refusal with a name").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_finds_out_why_somebody_was_refused() {
    let world = World::start().await;
    let alice = signed_in(&world.device().await, &world.person("alice")).await;
    alice.goes_to("/users").await;
    let id = decision(&alice).await;
    let mut root = world.person("root");
    let tab = verified(&world, &mut root).await;
    tab.goes_to("/_gate/admin").await;
    tab.is_at("/_gate/admin/overview").await;
    tab.reads("role-lacks-access").await;
    tab.looks("admin-overview").await;
    // From the most frequent reason to the refusals, and to the one.
    tab.follows("link", "role-lacks-access").await;
    tab.is_at("/_gate/admin/decisions").await;
    tab.looks("admin-decisions").await;
    tab.follows("link", &id).await;
    tab.reads("the role root").await;
    tab.looks("admin-decision").await;
    tab.follows("link", "All decisions").await;
    // As it was read to somebody on the telephone, by keyboard.
    tab.tab_to("textbox", "Decision").await;
    tab.types(&id.to_lowercase().replace('-', "")).await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.reads("What would have allowed it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_is_made_and_lifted_and_stands_in_the_trail() {
    let world = World::start().await;
    let mut root = world.person("root");
    let tab = verified(&world, &mut root).await;
    tab.goes_to("/_gate/admin/overview").await;
    tab.follows("link", "Bans").await;
    tab.fills("Whom", "everything").await;
    tab.follows("button", "Ban").await;
    tab.reads("neither an address nor a network").await;
    tab.looks("admin-bans-fault").await;
    tab.fills("Whom", "203.0.113.0/24").await;
    tab.fills("Reason", "tries passwords").await;
    tab.fills("For how long", "2h").await;
    tab.follows("button", "Ban").await;
    tab.reads("Banned. It counts from now on.").await;
    tab.looks("admin-bans").await;
    tab.tab_to("link", "Lift the ban").await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.looks("admin-ban-lift").await;
    tab.follows("button", "Lift the ban").await;
    tab.reads("The ban is lifted.").await;

    tab.follows("link", "Audit").await;
    tab.fills("Event", "ban-*").await;
    tab.follows("button", "Search").await;
    tab.reads("203.0.113.0/24").await;
    tab.looks("admin-audit").await;
    tab.fills("Within the last", "soon").await;
    tab.follows("button", "Search").await;
    tab.reads("Write a duration").await;
    tab.looks("admin-audit-fault").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_attempts_are_looked_at_from_every_side_and_forgiven() {
    let world = World::start().await;
    let mut root = world.person("root");
    let tab = verified(&world, &mut root).await;
    tab.goes_to("/_gate/admin/failures").await;
    tab.reads("Nothing has failed.").await;
    let other = world.device().await.tab().await;
    other.goes_to("/_gate/sign-in").await;
    for _ in 0..2 {
        other.fills("User name", "alice").await;
        other.fills("Password", "a wrong one").await;
        other.follows("button", "Sign in").await;
    }
    tab.goes_to("/_gate/admin/failures").await;
    tab.reads("2 wrong passwords").await;
    tab.looks("admin-failures").await;
    tab.follows("link", "By country").await;
    tab.reads("No database says in which country").await;
    tab.follows("link", "By account").await;
    tab.reads("2 wrong passwords").await;
    tab.looks("admin-failures-account").await;
    tab.tab_to("link", "Unlock").await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.follows("button", "Unlock").await;
    tab.goes_to("/_gate/admin/failures?by=account").await;
    tab.reads("Nothing has failed.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reads_the_policy_asks_it_and_runs_its_tests() {
    let world = World::with_candidate(CANDIDATE).await;
    let reseller = signed_in(&world.device().await, &world.person("reseller")).await;
    reseller.goes_to("/users").await;
    let mut admin = world.person("admin");
    let tab = verified(&world, &mut admin).await;
    tab.goes_to("/_gate/admin/overview").await;
    tab.follows("link", "Policy").await;
    tab.reads("Access before the second factor").await;
    tab.reads("demo.yaml:").await;
    tab.looks("admin-policy").await;

    // The form, by keyboard alone.
    tab.tab_to("link", "Explain a request").await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.looks("admin-policy-explain").await;
    tab.tab_to("textbox", "User name").await;
    tab.types("alice").await;
    tab.tab_to("textbox", "Path").await;
    tab.types("/users/7").await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.reads("role-lacks-access").await;
    tab.reads("What would make it a yes").await;
    tab.looks("admin-policy-explained").await;
    tab.fills("From address", "home").await;
    tab.follows("button", "Explain").await;
    tab.reads("is not an address").await;
    tab.looks("admin-policy-explain-fault").await;

    tab.follows("link", "Tests").await;
    tab.reads("of the policy was asked about").await;
    tab.looks("admin-policy-tests").await;
    tab.follows("button", "Run again").await;

    tab.follows("link", "Candidate").await;
    tab.reads("GET /users").await;
    tab.reads("refused (role-lacks-access)").await;
    tab.reads("All that it would change").await;
    tab.looks("admin-policy-candidate").await;
}

/// Every page and form is plain HTML.
#[tokio::test(flavor = "multi_thread")]
async fn administration_needs_no_scripts() {
    let world = World::start().await;
    let (mut root, device) = (world.person("root"), world.device_without_scripts().await);
    let tab = signed_in(&device, &root).await;
    tab.goes_to("/_gate/step-up?rd=/_gate/admin/overview").await;
    let code = root.app().code().await;
    tab.fills("Code from your app", &code).await;
    tab.follows("button", "Verify").await;
    tab.is_at("/_gate/admin/overview").await;
    tab.reads("Sessions now").await;
    tab.follows("link", "Policy").await;
    tab.reads("Access before the second factor").await;
    tab.follows("link", "Explain a request").await;
    tab.fills("User name", "alice").await;
    tab.fills("Path", "/system").await;
    tab.follows("button", "Explain").await;
    tab.reads("role-lacks-access").await;
    tab.follows("link", "Tests").await;
    tab.reads("of the policy was asked about").await;
    tab.follows("link", "Candidate").await;
    tab.reads("No candidate is being tried.").await;
    tab.picture("admin-policy-no-candidate").await;
    tab.follows("link", "Bans").await;
    tab.fills("Whom", "203.0.113.9").await;
    tab.follows("button", "Ban").await;
    tab.reads("Banned. It counts from now on.").await;
    tab.follows("link", "Lift the ban").await;
    tab.follows("button", "Lift the ban").await;
    tab.reads("The ban is lifted.").await;
    tab.follows("link", "Decisions").await;
    tab.fills("User name", "nobody-of-this-name").await;
    let buttons = tab.candidates("button", "Show").await;
    tab.mark().await;
    tab.clicks_on(buttons[1]).await;
    tab.arrived().await;
    tab.reads("There is none.").await;
}
