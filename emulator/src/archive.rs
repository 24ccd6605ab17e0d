//! ZIP archives and gzip streams.

use std::io;
use std::io::Cursor;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A ZIP archive of `members`, each a name and its content.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default())?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// A gzip stream of `data`.
pub(crate) fn gzip(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = GzEncoder::new(Vec::new(), Compression::default());
    stream.write_all(data)?;
    stream.finish()
}
