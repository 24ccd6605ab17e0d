//! `astra-emulator`: the emulator as a program.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use astra_emulator::Emulator;
use astra_emulator::Options;
use astra_emulator::Profile;
use clap::Parser;
use clap::ValueEnum;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// A strict local stand-in for the DataStax Astra DevOps API, faulty on request.
///
/// Prints one line when it is ready:
/// `astra-emulator ready url=… control=… org=… root_token=…`
/// The root token belongs to an example organization; give it and the URL to the client under test.
/// Ends with SIGINT or SIGTERM.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Loopback address of the Astra API; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Loopback address of the control API; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Ids, secrets and chance follow from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How much a request may deviate from the published API
    #[arg(long, value_enum, default_value_t = Leniency::Strict)]
    profile: Leniency,
    /// Serve the API by TLS with a certificate of a generated CA
    #[arg(long)]
    tls: bool,
    /// Where to write the CA's certificate (implies --tls, unless there is --proxy)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Speak CQL on two more loopback ports, and serve secure connect bundles that lead there; the
    /// ready line gains `metadata=… cql=…`
    #[arg(long)]
    cql: bool,
    /// Join authenticated CQL clients to a CQL server without authentication, on loopback (implies
    /// --cql)
    #[arg(long, value_name = "ADDRESS")]
    cql_upstream: Option<SocketAddr>,
    /// Open a proxy for HTTPS_PROXY on one more loopback port, which leads Astra's own host names
    /// here; the ready line gains `proxy=…`
    #[arg(long)]
    proxy: bool,
    /// Let the control API show secrets
    #[arg(long)]
    show_secrets: bool,
    /// Journal entries to keep; 0 turns the journal off
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    journal_size: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Leniency {
    /// Refuse and record every deviation
    Strict,
    /// As lenient as the real service is reported to be
    Field,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // Before the ready line, so that a script may stop the program as soon as it has read it.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let emulator = Emulator::start(Options {
        api: arguments.listen,
        control: arguments.control,
        seed: arguments.seed,
        profile: match arguments.profile {
            Leniency::Strict => Profile::Strict,
            Leniency::Field => Profile::Field,
        },
        tls: arguments.tls || (arguments.ca_file.is_some() && !arguments.proxy),
        show_secrets: arguments.show_secrets,
        journal_size: arguments.journal_size,
        cql: arguments.cql,
        cql_upstream: arguments.cql_upstream,
        proxy: arguments.proxy,
        start_time: None,
    })
    .await?;
    let org = emulator
        .seeds()
        .organizations
        .first()
        .map(|org| org.id.clone())
        .unwrap_or_default();
    let mut line = format!(
        "astra-emulator ready url={} control={} org={org} root_token={}",
        emulator.url(),
        emulator.control_url(),
        emulator.root_token()
    );
    if let (Some(file), Some(pem)) = (&arguments.ca_file, emulator.ca_pem()) {
        std::fs::write(file, pem)?;
        line.push_str(&format!(" ca_file={}", file.display()));
    }
    if let (Some(metadata), Some(cql)) = (emulator.metadata_address(), emulator.cql_address()) {
        line.push_str(&format!(" metadata={metadata} cql={cql}"));
    }
    if let Some(proxy) = emulator.proxy_url() {
        line.push_str(&format!(" proxy={proxy}"));
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    emulator.shutdown().await;
    Ok(())
}
