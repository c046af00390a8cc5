//! `tmad completions` and `tmad man`: what a shell and `man` want to know about the program.

use crate::output::write_file;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const COMPLETIONS: &str = "\
Examples:
  tmad completions bash > ~/.local/share/bash-completion/completions/tmad
  tmad completions zsh > ~/.zfunc/_tmad
  tmad completions fish > ~/.config/fish/completions/tmad.fish";

const MAN: &str = "\
Examples:
  tmad man | man -l -
  tmad man --out ~/.local/share/man/man1";

/// Options of `tmad completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Options of `tmad man`.
#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub struct ManArgs {
    /// Folder for the pages of the program and of each command, which is made
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints completions.
///
/// # Errors
///
/// If standard output is closed.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "tmad", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}

/// Prints the program's page, or writes all.
///
/// # Errors
///
/// If standard output is closed or the folder cannot be written to.
pub fn man(args: &ManArgs, mut command: Command) -> Result<()> {
    let Some(folder) = &args.out else {
        Man::new(command).render(&mut io::stdout())?;
        return Ok(());
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    command.build();
    page(&command, folder)
}

/// Writes the pages of a command and of those below it, but for `help`, which repeats them.
fn page(command: &Command, folder: &Path) -> Result<()> {
    let man = Man::new(command.clone());
    let mut bytes = Vec::new();
    man.render(&mut bytes)?;
    write_file(&folder.join(man.get_filename()), &bytes)?;
    let below = command.get_subcommands();
    (below.filter(|command| command.get_name() != "help"))
        .try_for_each(|command| page(command, folder))
}
