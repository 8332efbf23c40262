//! `panelgate demo --tour`: the whole story, played by a real client against a real gate in a process of its own, so
//! that it can be killed.

mod answer;
mod browser;
mod chapters;
mod child;
mod open;
mod story;
mod wire;

use futures_util::future::BoxFuture;

use self::story::Story;
use super::{DemoError, Options, place::Place, report::say, runtime};
use crate::config::Environment;

/// What a step comes to: held, or what was found instead.
type Held = Result<(), Broken>;

/// What a step found instead of what it promises.
#[derive(Debug)]
struct Broken(String);

impl From<DemoError> for Broken {
    fn from(error: DemoError) -> Self {
        Self(error.to_string())
    }
}

/// One promise, and the function that checks it.
struct Step {
    name: &'static str,
    run: for<'a> fn(&'a mut Story) -> BoxFuture<'a, Held>,
}

/// Steps that belong together; later ones build on earlier ones.
struct Chapter {
    name: &'static str,
    steps: &'static [Step],
}

/// Plays the story and prints it. `true` if every step held.
///
/// # Errors
/// When the gate cannot be started at all.
pub fn run(options: &Options, environment: &Environment) -> Result<bool, DemoError> {
    runtime()?.block_on(async {
        let place = Place::open(options.dir.as_deref())?;
        let mut story = Story::begin(place, environment.clone()).await?;
        let (mut held, mut all) = (0, 0);
        for chapter in chapters::ALL {
            say(&format!("\n{}\n", chapter.name));
            for step in chapter.steps {
                all += 1;
                held += u32::from(play(&mut story, step).await);
            }
        }
        story.end().await;
        say(&format!("\ntour: {held} of {all} steps held\n"));
        Ok(held == all)
    })
}

async fn play(story: &mut Story, step: &Step) -> bool {
    let outcome = (step.run)(story).await;
    let mark = if outcome.is_ok() { '✓' } else { '✗' };
    say(&format!("  {mark} {}\n", step.name));
    for line in story.transcript() {
        say(&format!("      {line}\n"));
    }
    if let Err(Broken(found)) = &outcome {
        say(&format!("      NOT HELD: {found}\n"));
    }
    outcome.is_ok()
}
