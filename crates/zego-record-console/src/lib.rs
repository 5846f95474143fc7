#![doc = include_str!("../README.md")]

mod action;
mod chart;
mod console;
mod guard;
mod inbox;
mod log;
mod origin;
mod pages;
mod problem;
mod query;
mod rejections;
mod session;
mod text;
mod time;
mod token;

pub use action::{Action, ActionReport, DestinationHealth};
pub use console::{Console, ConsoleBuilder};
pub use rejections::Rejections;
pub use token::Token;
