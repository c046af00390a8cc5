//! Lists the files of the web page, so that they end up in the program.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let web = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("web");
    println!("cargo::rerun-if-changed=web");
    let mut files = Vec::new();
    list(&web, &mut files)?;
    files.sort();
    let mut code = String::from("[\n");
    for file in files {
        let name = (file.strip_prefix(&web)?.to_str()).ok_or("a file name is not UTF-8")?;
        let url = format!("/{}", name.replace('\\', "/"));
        let path = file.to_str().ok_or("a path is not UTF-8")?;
        writeln!(code, "    ({url:?}, include_bytes!({path:?})),")?;
    }
    code.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("web.rs"), code)?;
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if is_hidden {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
