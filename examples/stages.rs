//! Shows what the compiler makes of a program: its tree, its typed form before and after every pass, the Rust.
//!
//! ```sh
//! cargo run --example stages -- program.ezpc
//! cargo run --example stages -- program.ezpc --only lanes
//! ```

#![allow(clippy::print_stdout, reason = "what a program prints is its result")]

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints a program after each stage of its compilation.
#[derive(Parser)]
struct Stages {
    /// The program.
    file: PathBuf,

    /// One stage only: syntax, typed, the name of a pass, or rust.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let options = Stages::parse();
    let text = match std::fs::read_to_string(&options.file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: cannot read {}: {error}", options.file.display());
            return ExitCode::from(2);
        }
    };
    let stages = ezpc_lang::stages(&text);
    let broken = stages.last().filter(|stage| stage.name == "errors");
    if let Some(errors) = broken {
        eprint!("{}", errors.text);
        return ExitCode::FAILURE;
    }
    if let Some(only) = &options.only
        && !stages.iter().any(|stage| stage.name == only)
    {
        let known: Vec<&str> = stages.iter().map(|stage| stage.name).collect();
        eprintln!("error: no stage is called {only}; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    for stage in stages {
        match &options.only {
            Some(only) if only != stage.name => {}
            Some(_) => print!("{}", stage.text),
            None => println!("---- {} ----\n{}", stage.name, stage.text),
        }
    }
    ExitCode::SUCCESS
}
