//! ONNX models in: a reader of our own that never reads past a length it has checked, and an importer that says
//! no to everything it cannot prove it understands.

mod builder;
mod call;
mod constant;
mod ops;
mod proto;
mod wire;

use crate::graph::Graph;
use ezpc_core::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The largest model file that is read.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// The operator sets that are understood.
pub const OPSETS: core::ops::RangeInclusive<u64> = 7..=21;

/// An imported model.
#[derive(Debug)]
#[non_exhaustive]
pub struct Import {
    /// The network.
    pub graph: Graph,
    /// What the user should know: a dropped softmax, for example.
    pub notices: Vec<String>,
}

/// Imports the model in `path`.
pub fn load(path: &Path) -> Result<Import> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    import(&bytes).map_err(|e| e.context(&path.display().to_string()))
}

/// Imports a model from the bytes of its file.
///
/// All nodes that are not supported are listed in one error, each with its reason.
pub fn import(bytes: &[u8]) -> Result<Import> {
    builder::import(&proto::Model::decode(bytes)?)
}

/// The content of a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let place = path.display();
    let file = std::fs::File::open(path).map_err(|e| Error::usage(format!("{place}: {e}")))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| Error::usage(format!("{place}: {e}")))?;
    if bytes.len() as u64 > limit {
        return Err(Error::usage(format!("{place}: the file exceeds the limit of {limit} bytes")));
    }
    Ok(bytes)
}
