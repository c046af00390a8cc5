//! What the program tells shells, `man` and terminals.

mod common;

use common::Folder;
use predicates::str::contains;
use std::fs;
use std::process::Command;

/// Runs another program, if the machine has it; returns what it printed.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        eprintln!("SKIPPED: there is no {program} on this machine");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {errors}");
    assert!(errors.is_empty(), "{program}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn completions(folder: &Folder, shell: &str) -> String {
    let assert = folder.tmad(&format!("completions {shell}")).assert();
    let script = assert.success().get_output().stdout.clone();
    fs::write(folder.path(shell), &script).unwrap();
    folder.path(shell).to_str().unwrap().to_owned()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let folder = Folder::new();
    let script = completions(&folder, "bash");
    // The words as they stand, and what is to be completed last.
    for (words, expected) in [
        ("tmad inp", "inpaint"),
        ("tmad inpaint photo.jpg --mas", "--mask"),
        ("tmad inpaint photo.jpg --method pat", "patchmatch"),
    ] {
        let last = words.rsplit(' ').next().unwrap();
        let before = words.rsplit(' ').nth(1).unwrap();
        let run = format!(
            "source {script}; COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); \
             _tmad tmad {last} {before}; echo ${{COMPREPLY[@]}}"
        );
        if let Some(found) = output("bash", &["--norc", "-c", &run]) {
            let mut found = found.split_whitespace();
            assert!(found.any(|word| word == expected), "{words}");
        }
    }
}

#[test]
fn zsh_and_fish_read_their_scripts() {
    let folder = Folder::new();
    let script = completions(&folder, "zsh");
    let run = format!("autoload -Uz compinit; compinit -u -D; source {script}; whence -w _tmad");
    if let Some(found) = output("zsh", &["-f", "-c", &run]) {
        assert!(found.contains("_tmad: function"), "{found}");
    }
    let script = completions(&folder, "fish");
    let run = format!("source {script}; complete -C 'tmad inp'");
    if let Some(found) = output("fish", &["--no-config", "-c", &run]) {
        assert!(found.starts_with("inpaint"), "{found}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = Folder::new();
    folder.succeeds("man --out pages");
    let page = |name: &str| {
        let path = folder.path("pages").join(name);
        fs::read_to_string(path).unwrap()
    };
    assert!(page("tmad.1").starts_with(".ie"), "{}", page("tmad.1"));
    let inpaint = page("tmad-inpaint.1");
    for word in [".TH tmad-inpaint 1", "\\-\\-mask", "\\-\\-feather", "telea"] {
        assert!(inpaint.contains(word), "{word} is not in {inpaint}");
    }
    for entry in fs::read_dir(folder.path("pages")).unwrap() {
        let path = entry.unwrap().path();
        let path = path.to_str().unwrap();
        // Its warnings go to standard error, which has to stay empty.
        output("groff", &["-Kutf8", "-man", "-Tutf8", "-ww", path]);
    }
    let assert = folder.tmad("man").assert().success();
    assert.stdout(contains("tmad\\-inpaint(1)"));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let folder = Folder::new();
    let coloured = |arguments: &str, variable: Option<(&str, &str)>| {
        let mut command = folder.tmad(arguments);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.envs(variable);
        let assert = command.assert().code(1);
        let message = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(message.contains("gone.png does not exist"), "{message}");
        message.contains('\u{1b}')
    };
    let run = "inpaint gone.png --box 1,1,2,2 -o out.png";
    assert!(!coloured(run, None));
    assert!(coloured(&format!("{run} --color always"), None));
    assert!(coloured(run, Some(("CLICOLOR_FORCE", "1"))));
    assert!(!coloured(
        &format!("{run} --color never"),
        Some(("CLICOLOR_FORCE", "1"))
    ));
    assert!(!coloured(run, Some(("NO_COLOR", "1"))));
}

#[test]
fn details_are_for_those_who_ask() {
    let folder = Folder::with_photo(32, 32);
    let run = "inpaint photo.png --mask mask.png --method patchmatch -o out.png --threads 1";
    let usual = folder.succeeds(run);
    assert!(!usual.contains("1 threads"), "{usual}");
    let verbose = folder.succeeds(&format!("-v {run}"));
    assert!(
        verbose.contains("device auto, 1 threads, precision f32"),
        "{verbose}"
    );
    assert!(verbose.lines().count() > usual.lines().count());
    assert_eq!(folder.succeeds(&format!("-q {run}")), "");
    folder.fails(&format!("-q -v {run}2"), 2, &["cannot be used with"]);
    let mut command = folder.tmad(&format!("-v {run}").replace(" --threads 1", ""));
    let assert = command.env("TMAD_THREADS", "3").assert().success();
    assert.stderr(contains("3 threads"));
}
