//! What `docs/recipes.md` promises, as far as this machine can run it.

mod agent;
mod commands;
