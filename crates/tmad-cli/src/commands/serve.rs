//! `tmad serve`: the methods as a web page and an HTTP API.

use crate::method::EngineArgs;
use crate::terminal::{Terminal, UsageError, Verbosity};
use anyhow::Result;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use inpaint_core::Inpainter;
use inpaint_core::patchmatch::PatchMatch;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tmad::WithTexture;
use tmad_serve::{Config, Limits, Model, ServeError, Timeouts};
use tracing_subscriber::filter::LevelFilter;

const EXAMPLES: &str = "\
Examples:
  tmad serve
  tmad serve --coarse-model lama.onnx
  TMAD_TOKEN=$(openssl rand -hex 16) tmad serve --addr 0.0.0.0:8080
  curl -F image=@photo.jpg -F mask=@mask.png -o out.jpg http://127.0.0.1:8080/v1/inpaint

Everything stays on this machine: no other host is asked for anything, and nothing that clients \
send is written to disk. Ctrl-C finishes what has begun, a second one does not.";

/// Options of `tmad serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(
        long,
        env = "TMAD_ADDR",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8080"
    )]
    addr: SocketAddr,
    /// Secret that clients have to send (Authorization: Bearer …); better given in the
    /// environment, where other users of the machine do not see it
    #[arg(long, env = "TMAD_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Listen on an address that other machines reach, without a token
    #[arg(long, env = "TMAD_ALLOW_PUBLIC", value_parser = FalseyValueParser::new())]
    allow_public: bool,
    /// Web pages of this origin may use the API, too; may be repeated, or be a
    /// list with commas; * is any
    #[arg(long, env = "TMAD_CORS", value_name = "ORIGIN", value_delimiter = ',')]
    cors: Vec<String>,
    /// Requests that are worked on at the same time
    #[arg(long, env = "TMAD_WORKERS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// Requests that may wait; further ones are sent away with 429
    #[arg(long, env = "TMAD_QUEUE", value_name = "N", default_value_t = 32)]
    queue: u16,
    /// Largest request in MiB
    #[arg(long, env = "TMAD_MAX_BODY_MIB", value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    max_body_mib: u16,
    /// Memory for all requests that are being received or wait, in MiB
    #[arg(long, env = "TMAD_MAX_BUFFERED_MIB", value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_buffered_mib: u32,
    /// Largest picture to decode; small files can hold pictures that fill the memory
    #[arg(long, env = "TMAD_MAX_MEGAPIXELS", value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=2000))]
    max_megapixels: u32,
    /// Longest side of a picture in pixels
    #[arg(
        long,
        env = "TMAD_MAX_SIDE",
        value_name = "PX",
        default_value_t = 20_000
    )]
    max_side: u32,
    /// Longest time for a request in seconds, its wait in the queue included
    #[arg(long, env = "TMAD_TIMEOUT", value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86400))]
    timeout: u64,
    /// How the log on standard error looks
    #[arg(long, env = "TMAD_LOG", value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    /// Another project's network (ONNX, docs/onnx.md): offered alone, and, as what is done unless
    /// a client asks for something else, with T-MAD's texture. May be repeated
    #[arg(long, env = "TMAD_COARSE_MODEL", value_name = "FILE")]
    coarse_model: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Formats of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line per request for people
    Text,
    /// An object per line for programs
    Json,
    /// Nothing
    Off,
}

/// Runs the command until it is told to stop.
///
/// # Errors
///
/// If the configuration is unsafe, the weights cannot be used, or the address cannot be listened
/// on.
pub fn run(args: &ServeArgs, terminal: &Terminal) -> Result<()> {
    let config = config(args);
    // Before the weights are loaded, which takes a while.
    config.check().map_err(explained)?;
    if terminal.verbosity() >= Verbosity::Notes {
        log_to_stderr(args.log, terminal.verbosity());
    }
    args.engine.prepare()?;
    terminal.detail(&args.engine);
    let models = models(args)?;
    tmad_serve::run(config, models, |addr| {
        terminal.note(format_args!(
            "tmad is served at http://{addr} (Ctrl-C stops it)"
        ));
    })
    .map_err(explained)
}

/// In the words of the command line.
fn explained(error: ServeError) -> anyhow::Error {
    match error {
        ServeError::Public(addr) => UsageError(format!(
            "{addr} can be reached from other machines, so anyone could use the service; set \
             TMAD_TOKEN or --token, or add --allow-public"
        ))
        .into(),
        ServeError::Token | ServeError::Origin(_) => UsageError(error.to_string()).into(),
        error => error.into(),
    }
}

fn config(args: &ServeArgs) -> Config {
    let pixels = u64::from(args.max_megapixels) * 1_000_000;
    Config {
        addr: args.addr,
        token: args.token.clone(),
        allow_public: args.allow_public,
        cors: args.cors.clone(),
        workers: args.workers.into(),
        queue: args.queue.into(),
        limits: Limits {
            body_bytes: usize::from(args.max_body_mib) << 20,
            buffered_bytes: (args.max_buffered_mib as usize) << 20,
            pixels,
            side: args.max_side,
            // 16-bit RGBA once for the picture, and as much again for what the decoder needs.
            decode_bytes: (pixels * 16).max(64 << 20),
            ..Limits::default()
        },
        timeouts: Timeouts {
            work: Duration::from_secs(args.timeout),
            ..Timeouts::default()
        },
    }
}

/// Every method, each loaded once for all clients.
fn models(args: &ServeArgs) -> Result<Vec<Model>> {
    let device = args.engine.open_device()?;
    let tmad = Arc::new(args.engine.load_tmad(&device)?);
    let provenance = tmad.provenance().clone();
    let coarse = args.engine.load_tmad(&device)?.coarse_only();
    let (mut models, mut alone) = (Vec::new(), Vec::new());
    for path in &args.coarse_model {
        let network: Arc<dyn Inpainter> = args.engine.load_network(path)?.into();
        let name = network.name().to_owned();
        let textured = WithTexture::new(Arc::clone(&network), Arc::clone(&tmad));
        models.push(
            Model::inpainter(
                Arc::new(textured),
                format!("Structure from the network {name}, texture by T-MAD"),
            )
            .with_provenance(provenance.clone()),
        );
        alone.push(Model::inpainter(
            network,
            format!("The network {name} alone, at the size that it was made for"),
        ));
    }
    models.extend([
        Model::texture(
            tmad,
            "T-MAD: structure from the coarse network, texture from the rest of the picture",
        )
        .with_provenance(provenance.clone()),
        Model::inpainter(
            Arc::new(coarse),
            "T-MAD's coarse network alone: structure, before the texture memory adds texture",
        )
        .with_provenance(provenance),
        Model::inpainter(
            Arc::new(PatchMatch::default()),
            "PatchMatch: patches copied from the rest of the picture, without a network",
        ),
    ]);
    models.extend(alone);
    Ok(models)
}

fn log_to_stderr(format: LogFormat, verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Details => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false);
    // Nobody else has set a log before, which is all that could go wrong.
    let _ = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Off => return,
    };
}
