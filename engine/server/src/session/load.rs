//! Files for LOAD CSV: which may be read, and reading them block by block.
//!
//! Called by a stream whose query waits for a part of a file. What always holds: only regular files beneath the configured directory are opened, never through
//! a link; reading waits, so others have their turns meanwhile.

use crate::node::Node;
use quoit_cypher::error::{Detail, Error, ErrorKind};
use quoit_query::FileRead;
use quoit_rt::{AlignedBuf, File};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 << 10;

/// Reads a part of a file, which is opened unless it is `open` already; no bytes at its end.
pub(super) async fn read(
    node: &Node,
    read: &FileRead,
    open: Option<File>,
) -> Result<(File, Vec<u8>), Error> {
    let Some(directory) = &node.options.load_csv_directory else {
        return Err(Error::of(
            ErrorKind::Forbidden,
            "LOAD CSV is off: this server has no directory for it",
        )
        .hint("start the server with --load-csv-directory DIR, and put the files there"));
    };
    let failed = |error: io::Error| refused(&read.name, &error);
    let file = match open {
        Some(file) => file,
        None => {
            let path = beneath(&read.name, directory)?;
            let opened = node.rt.disk().open_beneath(directory, path).await;
            opened.map_err(failed)?
        }
    };
    let (result, block) = file
        .read_at(AlignedBuf::zeroed(BLOCK_BYTES), read.offset)
        .await;
    let count = result.map_err(failed)?;
    Ok((file, block[..count].to_vec()))
}

/// The path within the directory that a name means: `file:///a.csv`, `/a.csv` and `a.csv` are one, as is the whole path.
fn beneath(name: &str, directory: &Path) -> Result<PathBuf, Error> {
    let path = match name.split_once("://") {
        None => name,
        Some((scheme, path)) if scheme.eq_ignore_ascii_case("file") => path,
        Some((scheme, _)) => {
            return Err(Error::unsupported(format!(
                "LOAD CSV from `{scheme}://` is not available yet; only files are read"
            )));
        }
    };
    let path = Path::new(path);
    let within = path.strip_prefix(directory).unwrap_or(path);
    Ok(within.strip_prefix("/").unwrap_or(within).to_owned())
}

fn refused(name: &str, error: &io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file in the directory of LOAD CSV",
        io::ErrorKind::PermissionDenied => {
            "it leads out of the directory of LOAD CSV or through a link, or may not be read"
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => "it is no regular file",
        _ => {
            return Error::of(
                ErrorKind::Unavailable,
                format!("`{name}` cannot be read: {error}"),
            );
        }
    };
    Error::argument(
        Detail::InvalidArgumentValue,
        format!("`{name}` cannot be read: {what}"),
    )
}
