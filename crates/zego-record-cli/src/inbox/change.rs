//! Commands that change something.

use std::io::BufRead as _;

use serde::Serialize;
use zego_record_inbox::{Filter, Plan};

use super::args::{ChangeArgs, DiscardArgs, EraseArgs, RedeliverArgs};
use super::{Desk, hex_of};
use crate::cli::Status;
use crate::error::Error;
use crate::io::Io;

#[derive(Serialize)]
struct Changed {
    changed: u64,
}

impl Desk {
    pub(super) async fn redeliver(
        &self,
        args: &RedeliverArgs,
        io: &mut Io<'_>,
    ) -> Result<Status, Error> {
        let filter = self.target(&args.change).await?;
        let mut plan = self.reach(Plan::redeliver(&*self.inbox, filter)).await?;
        if args.new_id {
            plan = plan.with_new_ids();
        }
        self.carry_out(plan, &args.change, ("redeliver", "redelivered"), io)
            .await
    }

    pub(super) async fn discard(
        &self,
        args: &DiscardArgs,
        io: &mut Io<'_>,
    ) -> Result<Status, Error> {
        let filter = self.target(&args.change).await?;
        let plan = Plan::discard(&*self.inbox, filter, args.reason.as_str());
        let plan = self.reach(plan).await?;
        self.carry_out(plan, &args.change, ("discard", "discarded"), io)
            .await
    }

    pub(super) async fn pause(&self, paused: bool, io: &mut Io<'_>) -> Result<Status, Error> {
        self.ask(|| self.inbox.set_paused(paused)).await?;
        if self.json {
            io.print_json(&serde_json::json!({ "paused": paused }))?;
        } else if paused {
            writeln!(io.out, "paused: callbacks are received and not forwarded")?;
        } else {
            writeln!(io.out, "resumed")?;
        }
        Ok(Status::Fine)
    }

    pub(super) async fn erase(&self, args: &EraseArgs, io: &mut Io<'_>) -> Result<Status, Error> {
        let entry = self.find(&args.key).await?;
        let question = format!("erase {} and its history?", hex_of(&entry.key));
        if !args.yes && !agree(&question, io)? {
            return Ok(Status::CheckFailed);
        }
        let erased = self.ask(|| self.inbox.erase(&entry.key)).await?;
        self.report(u64::from(erased), "erased", io)
    }

    /// The one callback, or all that match.
    async fn target(&self, args: &ChangeArgs) -> Result<Filter, Error> {
        match &args.key {
            Some(key) => Ok(Filter::key(&self.find(key).await?.key)),
            None => args.select.deliberate_filter(),
        }
    }

    async fn carry_out(
        &self,
        plan: Plan<'_>,
        args: &ChangeArgs,
        (verb, done): (&str, &str),
        io: &mut Io<'_>,
    ) -> Result<Status, Error> {
        let question = format!("{} callbacks match: {verb} them?", plan.count());
        let agreed = args.yes || args.key.is_some() || agree(&question, io)?;
        if !agreed {
            return Ok(Status::CheckFailed);
        }
        let changed = self.reach(plan.run()).await?;
        self.report(changed, done, io)
    }

    fn report(&self, changed: u64, verb: &str, io: &mut Io<'_>) -> Result<Status, Error> {
        if self.json {
            io.print_json(&Changed { changed })?;
        } else {
            writeln!(io.out, "{changed} {verb}")?;
        }
        Ok(Status::of_check(changed > 0))
    }
}

/// Asks whoever sits at the terminal; nobody there has not agreed.
fn agree(question: &str, io: &mut Io<'_>) -> Result<bool, Error> {
    if !io.input_is_terminal {
        writeln!(io.err, "{question} Nothing was changed: add --yes")?;
        return Ok(false);
    }
    write!(io.err, "{question} [y/N] ")?;
    io.err.flush()?;
    let mut answer = String::new();
    std::io::BufReader::new(&mut *io.input).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
