//! Builds the page that needs no server: `cargo run --release --manifest-path
//! tools/site/Cargo.toml -- DIR` fills DIR with the page of `tmad serve`, with the pipeline as
//! WebAssembly in the place of the service. Any static host can serve the folder.
//!
//! Needs the target: `rustup target add wasm32-unknown-unknown`.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
/// 128-bit vectors, which every browser has had since 2023.
const FLAGS: &str = "-C target-feature=+simd128";
/// The page may load what lies beside it and nothing else. Hosts cannot be asked to send this as
/// a header, so it is in the page.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
    form-action 'none'; base-uri 'none'";

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let (Some(out), None) = (arguments.next(), arguments.next()) else {
        bail!("say where to: tmad-site DIR");
    };
    let out = PathBuf::from(out);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");

    let wasm = build(&root)?;
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    Bindgen::new()
        .input_path(&wasm)
        .web(true)?
        .typescript(false)
        .generate(&out)
        .context("cannot make the JavaScript side of the WebAssembly")?;
    // The site's own files last: they take the place of the service's.
    copy(&root.join("crates/tmad-serve/web"), &out)?;
    copy(&root.join("crates/tmad-web/site"), &out)?;
    adapt_page(&out.join("index.html"))?;
    let bytes = list_files(&out)?;
    println!("{}: {:.1} MB", out.display(), bytes as f64 / 1e6);
    Ok(())
}

/// Compiles the pipeline.
fn build(root: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "tmad-web",
            "--target",
            TARGET,
        ])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS)
        .current_dir(root)
        .status()
        .context("cannot run cargo")?;
    ensure!(
        status.success(),
        "the pipeline does not compile; is the target {TARGET} there?"
    );
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(TARGET).join("release/tmad_web.wasm"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().context("a file has a name")?;
        fs::copy(&path, to.join(name))
            .with_context(|| format!("cannot copy {}", path.display()))?;
    }
    Ok(())
}

/// Makes the service's page the site's.
fn adapt_page(path: &Path) -> Result<()> {
    let mut page = fs::read_to_string(path)?;
    let head = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <link rel=\"manifest\" href=\"manifest.webmanifest\">\n<title>"
    );
    for (from, to) in [("<html ", "<html data-home=\"site\" "), ("<title>", &head)] {
        ensure!(
            page.matches(from).count() == 1,
            "index.html has not one {from}"
        );
        page = page.replace(from, to);
    }
    Ok(fs::write(path, page)?)
}

/// Tells the service worker which files to keep, under a name that depends on all of them.
/// Returns their size in bytes.
fn list_files(out: &Path) -> Result<usize> {
    let worker = out.join("sw.js");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("names are UTF-8")?;
        if path != worker {
            files.insert(name.to_owned(), fs::read(&path)?);
        }
    }
    // FNV-1a: it tells versions apart, nothing more.
    let hash = files
        .iter()
        .flat_map(|(name, content)| name.as_bytes().iter().chain(content))
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
    let names: Vec<_> = files.keys().map(|name| format!("{name:?}")).collect();
    let head = format!(
        "const VERSION = \"{hash:016x}\";\nconst FILES = [{}];\n",
        names.join(", ")
    );
    let script = fs::read_to_string(&worker)?;
    fs::write(&worker, head + &script)?;
    Ok(files.values().map(Vec::len).sum())
}
