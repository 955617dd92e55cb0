//! Where a model's bytes lie: in memory, or in files that are read piece by piece, so that no weight is in memory
//! before the operator that takes it.

use ezpc_core::{Error, Result};
use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// How much of a file is read ahead while its structure is walked.
const AHEAD: usize = 1 << 14;

/// A run of bytes that can be read anywhere.
pub(super) struct Source<'a> {
    place: Place<'a>,
    len: u64,
}

enum Place<'a> {
    Memory(&'a [u8]),
    File(RefCell<Ahead>),
}

/// A file and the part of it that was read last.
struct Ahead {
    file: File,
    name: String,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Source<'a> {
    pub(super) const fn memory(bytes: &'a [u8]) -> Self {
        Self { place: Place::Memory(bytes), len: bytes.len() as u64 }
    }

    /// A regular file of at most `limit` bytes.
    pub(super) fn file(path: &Path, limit: u64) -> Result<Self> {
        let name = path.display().to_string();
        let wrong = |e: std::io::Error| Error::usage(format!("{name}: {e}"));
        // Before it is opened: a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(wrong)?.is_file() {
            return Err(Error::usage(format!("{name}: not a regular file")));
        }
        let file = File::open(path).map_err(wrong)?;
        let len = file.metadata().map_err(wrong)?.len();
        if len > limit {
            return Err(Error::usage(format!("{name}: the file exceeds the limit of {limit} bytes")));
        }
        Ok(Self { place: Place::File(RefCell::new(Ahead { file, name, start: 0, bytes: Vec::new() })), len })
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// The bytes at `range`, for a caller that has bounded its length.
    pub(super) fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let len = usize::try_from(range.end.saturating_sub(range.start))
            .ok()
            .filter(|_| range.end <= self.len)
            .ok_or_else(|| Error::usage(format!("bytes {range:?} where {} are there", self.len)))?;
        let mut bytes = vec![0; len];
        self.fill(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `out` from `at`; both ends lie within the source.
    pub(super) fn fill(&self, at: u64, out: &mut [u8]) -> Result<()> {
        match &self.place {
            Place::Memory(bytes) => {
                let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..at.checked_add(out.len())?));
                out.copy_from_slice(from.ok_or_else(|| Error::usage("bytes beyond the end"))?);
                Ok(())
            }
            Place::File(ahead) => ahead.borrow_mut().fill(at, out),
        }
    }
}

impl Ahead {
    fn fill(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        let wrong = |e: std::io::Error| Error::usage(format!("{}: {e}", self.name));
        if out.len() > AHEAD / 4 {
            self.file.seek(SeekFrom::Start(at)).map_err(wrong)?;
            return self.file.read_exact(out).map_err(wrong);
        }
        let within = |start: u64, have: usize| {
            let offset = usize::try_from(at.checked_sub(start)?).ok()?;
            (offset.checked_add(out.len())? <= have).then_some(offset)
        };
        let offset = match within(self.start, self.bytes.len()) {
            Some(offset) => offset,
            None => {
                self.file.seek(SeekFrom::Start(at)).map_err(wrong)?;
                self.bytes.clear();
                self.file.by_ref().take(AHEAD as u64).read_to_end(&mut self.bytes).map_err(wrong)?;
                self.start = at;
                if self.bytes.len() < out.len() {
                    return Err(Error::usage(format!("{}: the file ends early", self.name)));
                }
                0
            }
        };
        out.copy_from_slice(&self.bytes[offset..offset + out.len()]);
        Ok(())
    }
}

/// The folder of a model, outside of which none of its data may lie.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder that holds the model at `path`.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let folder = folder.canonicalize();
        folder.map(Self).map_err(|e| Error::usage(format!("{}: {e}", path.display())))
    }

    /// The file `location` of external data: a relative path without `..` that no link leads out of the folder.
    pub(super) fn open(&self, location: &str) -> Result<Source<'static>, String> {
        let path = Path::new(location);
        let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !plain || location.is_empty() {
            return Err("its data lies outside of the model's folder".into());
        }
        let path = self.0.join(path).canonicalize().map_err(|e| format!("its data file: {e}"))?;
        if !path.starts_with(&self.0) {
            return Err("its data lies outside of the model's folder".into());
        }
        Source::file(&path, u64::MAX).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_read_as_memory_does() {
        let path = std::env::temp_dir().join(format!("ezpc-source-{}", std::process::id()));
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).expect("a file");
        let (file, memory) = (Source::file(&path, 1 << 20).expect("opens"), Source::memory(&bytes));
        assert!(Source::file(&path, 99_999).is_err());
        std::fs::remove_file(&path).expect("it is ours");
        for (at, len) in [(0, 1), (0, 10), (16_380, 10), (5, 3), (99_999, 1), (10, 90_000), (100_000, 0)] {
            let got = [&file, &memory].map(|s| s.read(at..at + len).expect("within"));
            assert_eq!(got[0], got[1]);
        }
        for source in [file, memory] {
            assert!(source.read(99_999..100_001).is_err());
        }
    }
}
