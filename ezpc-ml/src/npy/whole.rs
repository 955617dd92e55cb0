//! Files that are there as a whole or not at all.

use ezpc_core::{Error, Result};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a file under another name and renames it: a reader sees all of it or none.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, &mut std::fs::File::options())
}

/// As [`write_whole`], a file that its owner alone may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = std::fs::File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    replace(path, bytes, &mut options)
}

/// Removes what processes that were killed while they wrote `path` have left. What cannot be removed stays: nothing reads it.
pub(crate) fn remove_parts(path: &Path) {
    let of_path = |name: &OsStr| {
        let (name, path) = (name.as_encoded_bytes(), path.file_name()?.as_encoded_bytes());
        let process = name.strip_prefix(path)?.strip_prefix(b".")?.strip_suffix(b".part")?;
        Some(!process.is_empty() && process.iter().all(u8::is_ascii_digit))
    };
    for entry in std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        if of_path(&entry.file_name()) == Some(true) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn replace(path: &Path, bytes: &[u8], options: &mut std::fs::OpenOptions) -> Result<()> {
    let name = path.file_name().ok_or_else(|| Error::usage(format!("{} is no file name", path.display())))?;
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{}.part", std::process::id()));
    let temporary: PathBuf = path.with_file_name(temporary);
    let mut write = || {
        // What a process of the same number has left is not written into: it may have other rights.
        let _ = std::fs::remove_file(&temporary);
        let mut file = options.write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // The name has to survive a power cut as well as the bytes.
        #[cfg(unix)]
        std::fs::File::open(folder_of(path))?.sync_all()?;
        Ok(())
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        Error::io(path.display().to_string(), e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_file_that_cannot_be_written() {
        let folder = std::env::temp_dir().join(format!("ezpc-npy-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("taken/inside")).expect("a temporary folder");
        write_whole(&folder.join("file"), b"content").expect("it can be written");
        assert_eq!(std::fs::read(folder.join("file")).expect("it was written"), b"content");
        write_whole(&folder.join("taken"), b"content").expect_err("a folder is there");
        assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 2);
        std::fs::remove_dir_all(folder).expect("it is ours");
    }
}
