//! ONNX models in: a reader of our own that never reads past a length it has checked, and an importer that says
//! no to everything it cannot prove it understands.

mod builder;
mod call;
mod constant;
mod ops;
mod proto;
mod source;
mod tensor;
mod wire;

use crate::graph::Graph;
use ezpc_core::{Error, Result};
use source::{Folder, Source};
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

/// Imports the model in `path`. Weights are read when the operator that takes them is imported, also from other files
/// in the model's folder (external data), and from nowhere else.
pub fn load(path: &Path) -> Result<Import> {
    let place = |e: Error| e.context(&path.display().to_string());
    let source = Source::file(path, MAX_FILE_BYTES)?;
    let folder = Folder::of(path)?;
    builder::import(&proto::Model::decode(&source).map_err(place)?, Some(&folder)).map_err(place)
}

/// Imports a model from the bytes of its file, which hold all weights.
///
/// All nodes that are not supported are listed in one error, each with its reason.
pub fn import(bytes: &[u8]) -> Result<Import> {
    let source = Source::memory(bytes);
    builder::import(&proto::Model::decode(&source)?, None)
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
