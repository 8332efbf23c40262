//! User management: the page that operators protect most.

use std::sync::Arc;

use axum::{
    extract::{Form, Path, State},
    response::Response,
};
use serde::Deserialize;

use super::{book::Harbor, flash, pages, visitor::Visitor};

type Panel = State<Arc<Harbor>>;

const PLANS: [&str; 3] = ["Starter", "Business", "Reseller"];

#[derive(Deserialize)]
pub(crate) struct AccountForm {
    name: String,
    email: String,
    plan: String,
}

/// `GET /users`
pub(crate) async fn list(State(harbor): Panel, visitor: Visitor) -> Response {
    let accounts = harbor.book().accounts.clone();
    pages::users_page(visitor, accounts)
}

/// `GET /users/{id}`
pub(crate) async fn show(State(harbor): Panel, Path(id): Path<u32>, visitor: Visitor) -> Response {
    let found = harbor.book().account(id).cloned();
    match found {
        Some(account) => pages::user_page(visitor, account),
        None => pages::missing(visitor),
    }
}

/// `POST /users`
pub(crate) async fn add(State(harbor): Panel, visitor: Visitor, Form(form): Form<AccountForm>) -> Response {
    let (name, email, plan) = match form.checked() {
        Ok(fields) => fields,
        Err(problem) => return flash::redirect("/users", problem),
    };
    let said = format!("Added {name}");
    let mut book = harbor.book();
    book.add_account(name, email, plan);
    book.note(harbor.clock.wall(), &visitor.user, said.clone());
    flash::redirect("/users", &said)
}

/// `POST /users/{id}`
pub(crate) async fn change(
    State(harbor): Panel,
    Path(id): Path<u32>,
    visitor: Visitor,
    Form(form): Form<AccountForm>,
) -> Response {
    let place = format!("/users/{id}");
    let (name, email, plan) = match form.checked() {
        Ok(fields) => fields,
        Err(problem) => return flash::redirect(&place, problem),
    };
    let said = format!("Saved {name}");
    let mut book = harbor.book();
    let Some(account) = book.account(id) else {
        drop(book);
        return pages::missing(visitor);
    };
    account.name = name;
    account.email = email;
    account.plan = plan;
    book.note(harbor.clock.wall(), &visitor.user, said.clone());
    flash::redirect(&place, &said)
}

/// `POST /users/{id}/suspend`: and back.
pub(crate) async fn suspend(State(harbor): Panel, Path(id): Path<u32>, visitor: Visitor) -> Response {
    let mut book = harbor.book();
    let Some(account) = book.account(id) else {
        drop(book);
        return pages::missing(visitor);
    };
    account.suspended = !account.suspended;
    let verb = if account.suspended { "Suspended" } else { "Resumed" };
    let said = format!("{verb} {}", account.name);
    book.note(harbor.clock.wall(), &visitor.user, said.clone());
    flash::redirect("/users", &said)
}

/// `POST /users/{id}/delete`
pub(crate) async fn delete(State(harbor): Panel, Path(id): Path<u32>, visitor: Visitor) -> Response {
    let mut book = harbor.book();
    let Some(name) = book.account(id).map(|account| account.name.clone()) else {
        drop(book);
        return pages::missing(visitor);
    };
    book.accounts.retain(|account| account.id != id);
    let said = format!("Deleted {name}");
    book.note(harbor.clock.wall(), &visitor.user, said.clone());
    flash::redirect("/users", &said)
}

impl AccountForm {
    /// Name, e-mail and plan, trimmed; or what is wrong with them.
    fn checked(self) -> Result<(String, String, String), &'static str> {
        let name = self.name.trim();
        let email = self.email.trim();
        if name.is_empty() || name.len() > 80 {
            return Err("A name has 1 to 80 characters");
        }
        if email.len() > 120 || email.split('@').count() != 2 {
            return Err("An e-mail address looks like name@example.org");
        }
        if !PLANS.contains(&self.plan.as_str()) {
            return Err("Choose one of the plans");
        }
        Ok((name.to_owned(), email.to_owned(), self.plan))
    }
}
